package ports

import (
	"fmt"
	"io"
	"net"
)

// reserve takes a name in Linux's abstract socket namespace. Only one process can hold it, it
// leaves no file, and the kernel gives it back however the process ends.
func reserve(port int) (io.Closer, error) {
	return net.Listen("unix", fmt.Sprintf("@mooring-controlplane-port-%d", port))
}
