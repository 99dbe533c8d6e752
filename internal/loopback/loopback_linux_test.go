package loopback

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

// beside is an address whose port an outgoing connection has on 127.0.0.1, which
// the kernel does now and then for one that names no port. Others may have it
// there already; then it is another address.
func beside(t *testing.T, target string) string {
	t.Helper()
	for {
		address, err := Address()
		if err != nil {
			t.Fatal(err)
		}
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		local, err := net.ResolveTCPAddr("tcp", net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			t.Fatal(err)
		}
		conn, err := (&net.Dialer{LocalAddr: local}).DialContext(t.Context(), "tcp", target)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return address
	}
}

// Whatever goes out meanwhile, the port is still free when the server comes.
func TestAnAddressStaysFreeWhateverGoesOut(t *testing.T) {
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	address := beside(t, target.Addr().String())
	for range 2 { // And for a server that is started again.
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
