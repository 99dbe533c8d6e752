// Package ports finds free TCP ports on the loopback address for servers that take a port
// number instead of an open socket. What it hands out stays reserved among all programs that
// use this package on the machine, so that control planes starting side by side do not meet.
package ports

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
)

// The range lies below the ephemeral ports of Linux (32768 and up): a port from there could be
// taken by any outgoing connection between the moment it is found and the moment it is used.
const (
	lowest   = 20000
	highest  = 32000
	attempts = 1000
)

// Set is a number of reserved ports. They are free again after Close, or when the process ends.
type Set struct {
	held []io.Closer
}

// Next returns a port on which nothing listens and which no other Set holds.
func (s *Set) Next() (int, error) {
	for range attempts {
		port := lowest + rand.IntN(highest-lowest)
		hold, err := reserve(port)
		if err != nil {
			continue
		}
		if !unused(port) {
			_ = hold.Close()
			continue
		}
		s.held = append(s.held, hold)
		return port, nil
	}
	return 0, fmt.Errorf("no free port between %d and %d on 127.0.0.1 after %d attempts; stop what listens there", lowest, highest, attempts)
}

// Close gives all ports back.
func (s *Set) Close() error {
	var failed []error
	for _, hold := range s.held {
		failed = append(failed, hold.Close())
	}
	s.held = nil
	return errors.Join(failed...)
}

// unused reports whether the port can be listened on, on the loopback address and on all
// addresses: KServe's webhook server takes the latter.
func unused(port int) bool {
	for _, host := range []string{"127.0.0.1", ""} {
		listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			return false
		}
		if listener.Close() != nil {
			return false
		}
	}
	return true
}
