package stack

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/mlops-platform/mooring/tools/controlplane/internal/apply"
)

// probe asks health endpoints.
type probe struct {
	client *http.Client
	token  string
}

func newProbe(ca []byte, token string) (*probe, error) {
	transport := &http.Transport{}
	if ca != nil {
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(ca) {
			return nil, errors.New("the authority's certificate cannot be read")
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return &probe{client: &http.Client{Transport: transport, Timeout: 5 * time.Second}, token: token}, nil
}

// await returns when the address answers 200.
func (p *probe) await(ctx context.Context, component, address string) error {
	return apply.Until(ctx, "waiting for "+component+" to be healthy", func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		if p.token != "" {
			request.Header.Set("Authorization", "Bearer "+p.token)
		}
		response, err := p.client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(io.LimitReader(response.Body, 4096))
		if err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(body)))
		}
		return nil
	})
}
