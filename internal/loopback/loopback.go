// Package loopback finds addresses for servers that are told where to listen
// and are started again at the same place.
package loopback

import (
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
)

// Address gives HOST:PORT on the loopback interface, on which nothing listens.
//
// Between now and the moment at which the server listens, 127.0.0.1 would be
// the wrong place to wait: any outgoing connection may be given the port. On
// Linux all of 127.0.0.0/8 is loopback and connections leave from 127.0.0.1, so
// the address is one that nobody else has; elsewhere it is 127.0.0.1.
func Address() (string, error) {
	host := "127.0.0.1"
	if runtime.GOOS == "linux" {
		host = fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", fmt.Errorf("find a free port on %s: %w", host, err)
	}
	if err := listener.Close(); err != nil {
		return "", fmt.Errorf("free the port of %s: %w", listener.Addr(), err)
	}
	return listener.Addr().String(), nil
}
