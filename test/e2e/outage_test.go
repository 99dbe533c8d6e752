package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/internal/demo"
	"github.com/mlops-platform/mooring/internal/remote"
	"github.com/mlops-platform/mooring/schemas"
)

// While Git or GitHub cannot be used, the repository says why, what is deployed
// is looked after, and all goes on when the cause is gone.
func TestOutages(t *testing.T) {
	t.Parallel()
	w := start(t, small, withoutWebhooks)
	w.allLive(3)
	isGit := func(r request) bool { return strings.HasSuffix(r.URL.Path, "/info/refs") }

	t.Run("the Git server does not answer", func(t *testing.T) {
		up := w.github.down(isGit)
		w.says("Fetched", "False", "Unreachable")
		w.healed(demo.Churn)
		up()
		w.says("Fetched", "True", "Fetched")
		w.says("Ready", "True", "Judged")
	})
	t.Run("the token is wrong", func(t *testing.T) {
		w.secret(map[string]string{remote.KeyToken: "ghp_wrong"})
		if message := w.says("Fetched", "False", "AccessDenied"); strings.Contains(message, "ghp_wrong") {
			t.Errorf("the message shows the token: %s", message)
		}
		w.secret(map[string]string{remote.KeyToken: w.People[demo.Bot].Token})
		w.says("Ready", "True", "Judged")
	})
	t.Run("the certificate has expired", func(t *testing.T) {
		server, ca := expired(t, w.github)
		w.secret(map[string]string{remote.KeyCA: ca})
		url := w.repository().Spec.URL
		w.patch(fmt.Sprintf(`{"spec":{"url":%q}}`, server+"/"+demo.FullName+".git"))
		if message := w.says("Fetched", "False", "CertificateRefused"); !strings.Contains(message, "expired") {
			t.Errorf("the message does not say that it has expired: %s", message)
		}
		w.patch(fmt.Sprintf(`{"spec":{"url":%q}}`, url))
		w.says("Ready", "True", "Judged")
	})
	for what, answer := range map[string]http.HandlerFunc{
		"GitHub fails": func(rw http.ResponseWriter, _ *http.Request) {
			http.Error(rw, `{"message":"Server Error"}`, http.StatusInternalServerError)
		},
		"GitHub's rate limit is reached": func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Retry-After", "1")
			http.Error(rw, `{"message":"You have exceeded a secondary rate limit"}`, http.StatusForbidden)
		},
		"GitHub's hourly limit is reached": func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("X-RateLimit-Limit", "5000")
			rw.Header().Set("X-RateLimit-Remaining", "0")
			rw.Header().Set("X-RateLimit-Reset", fmt.Sprint(time.Now().Add(2*time.Second).Unix()))
			http.Error(rw, `{"message":"API rate limit exceeded"}`, http.StatusForbidden)
		},
	} {
		t.Run(what, func(t *testing.T) {
			lift := w.github.replace(func(r request) bool { return strings.HasPrefix(r.URL.Path, "/api/v3/repos/") }, answer)
			w.says("Ready", "False", "Failed")
			lift()
			w.says("Ready", "True", "Judged")
		})
	}
	// A pull request that came in the meantime is judged as any other.
	_, head, err := w.Propose(t.Context(), demo.Forecast, "Serve demand-forecast v8", `version: "7"`, `version: "8"`)
	w.must(err)
	w.hasStatus(head, "mooring", "success", "")
	w.nothingOrphaned()
}

// healed changes a model by hand and waits until that is mended.
func (w *world) healed(unit schemas.Unit) {
	w.t.Helper()
	w.drift(unit)
	w.mended(unit)
}

// mended waits until a change by hand is.
func (w *world) mended(unit schemas.Unit) {
	w.t.Helper()
	w.must(w.Until(w.t.Context(), "the drift is healed", func(ctx context.Context) (string, bool, error) {
		service, err := w.Service(ctx, unit)
		if err != nil || service == nil {
			return "no InferenceService", false, err
		}
		return fmt.Sprint(service.Object["spec"]), replicas(service) == 1, nil
	}))
}

// secret sets keys of the controller's Secret.
func (w *world) secret(values map[string]string) {
	w.t.Helper()
	secret := &corev1.Secret{}
	w.must(w.Cluster.Get(w.t.Context(), client.ObjectKey{Namespace: w.Namespace, Name: demo.RepositoryName}, secret))
	for key, value := range values {
		secret.Data[key] = []byte(value)
	}
	w.must(w.Cluster.Update(w.t.Context(), secret))
}

// patch edits the ModelRepository.
func (w *world) patch(text string) {
	w.t.Helper()
	w.must(w.Cluster.Patch(w.t.Context(), w.repository(), client.RawPatch(types.MergePatchType, []byte(text))))
}

// expired serves what a handler does under a certificate that has expired, and
// gives the certificate.
func expired(t testing.TB, handler http.Handler) (url, ca string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of refused handshakes
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
