package ports

import (
	"net"
	"strconv"
	"testing"
)

func TestPortsAreDistinctAndCanBeListenedOn(t *testing.T) {
	var one, other Set
	defer one.Close()
	defer other.Close()
	seen := map[int]bool{}
	for _, set := range []*Set{&one, &other, &one, &other} {
		port, err := set.Next()
		if err != nil {
			t.Fatal(err)
		}
		if seen[port] {
			t.Fatalf("port %d was handed out twice", port)
		}
		seen[port] = true
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			t.Fatalf("port %d cannot be used: %v", port, err)
		}
		defer listener.Close()
	}
}

func TestPortThatIsListenedOnIsNotUnused(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if unused(listener.Addr().(*net.TCPAddr).Port) {
		t.Fatal("a port with a listener was taken for unused")
	}
}
