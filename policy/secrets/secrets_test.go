package secrets_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/policy/secrets"
)

// The samples are put together here so that no scanner takes this file for one
// that has secrets.
var (
	awsKey   = "AKIA" + "Z7QXRW4TB2LMNVKE"
	github   = "ghp" + "_" + "x7Kq2LmN9pRsT4uVwXyZ1aBcD3eFgH5iJ6kQ"
	password = "c0rrect" + "-h0rse-8attery"
)

func scan(t testing.TB, file, content string) secrets.Report {
	t.Helper()
	r, err := secrets.Scan(t.Context(), file, []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestScanFinds(t *testing.T) {
	tests := map[string]struct{ file, content, want string }{
		"a key in the first line":       {"a.yaml", awsKey, "aws-access-token 1:1"},
		"a key after other lines":       {"a.yaml", "a: 1\nb: 2\n  id: " + awsKey + "\n", "aws-access-token 3:7"},
		"a key in the last line":        {"a.yaml", "a: 1\nid: " + awsKey, "aws-access-token 2:5"},
		"columns count characters":      {"a.yaml", "a: 1\nä: " + awsKey + "\n", "aws-access-token 2:4"},
		"two in one line":               {"a.md", "a\n" + awsKey + " " + github + "\n", "aws-access-token 2:1, github-pat 2:22"},
		"with CRLF":                     {"a.yaml", "a: 1\r\nid: " + awsKey + "\r\n", "aws-access-token 2:5"},
		"in base64":                     {"a.md", "x\n" + base64.StdEncoding.EncodeToString([]byte("id = "+awsKey+" ")) + "\n", "aws-access-token 2:1"},
		"whatever a comment says":       {"a.yaml", "id: " + awsKey + " # gitleaks:allow\n", "aws-access-token 1:5"},
		"whatever the path says":        {"models/vendor/node_modules/package-lock.json/a.yaml", "id: " + awsKey, "aws-access-token 1:5"},
		"also where images are let off": {"overlays/x/logo.png", "id: " + awsKey, "aws-access-token 1:5"},
		"a private key": {
			"a.yaml", "key: |\n  -----BEGIN RSA " + "PRIVATE KEY-----\n  " + strings.Repeat("MIIEpAIBAAKCAQEA7", 8) + "\n  -----END RSA PRIVATE KEY-----\n",
			"private-key 2:3",
		},
		"a password in a URL": {"a.yaml", "uri: postgres://app:" + password + "@db:5432/x", "url-password 1:21"},
		"an env with a literal password": {
			"deployment.yaml", "env:\n  - name: DB_PASSWORD\n    value: hunter2\n", "literal-secret 3:12",
		},
		"an env in flow style, the value first": {
			"deployment.yaml", `env: [{value: "hunter2-hunter2", name: api-key}]`, "literal-secret 1:15",
		},
		"an env in JSON": {
			"deployment.yaml", `{"env": [{"name": "dbPassword", "value": "x1y"}]}`, "literal-secret 1:42",
		},
		"a mapping with a password": {"o.yaml", "stringData:\n  password: x1y\n", "literal-secret 2:13"},
		"in a second document":      {"o.yaml", "a: 1\n---\npassword: x1y\n", "literal-secret 3:11"},
		"a keystore":                {"overlays/x/store.p12", "binary", "pkcs12-file 0:0"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := places(scan(t, tc.file, tc.content)); got != tc.want {
				t.Errorf("found %q, want %q", got, tc.want)
			}
		})
	}
}

func places(r secrets.Report) string {
	var found []string
	for _, m := range r.Matches {
		found = append(found, fmt.Sprintf("%s %d:%d", m.Rule, m.Line, m.Column))
	}
	return strings.Join(found, ", ")
}

func TestScanLeavesAlone(t *testing.T) {
	tests := map[string]string{
		"an ordinary manifest":        ordinary,
		"a reference to a secret":     "env:\n- name: DB_PASSWORD\n  valueFrom: {secretKeyRef: {name: db-password, key: password}}\n",
		"a name of a variable":        "env:\n- {name: DB_PASSWORD, value: $(OTHER)}\n- {name: API_KEY, value: \"${API_KEY}\"}\n",
		"a path to a secret":          "env:\n- {name: SIGNING_KEY, value: /var/run/secrets/key.pem}\n",
		"an ARN":                      "clientSecret: arn:aws:secretsmanager:eu-west-1:1:secret:x\n",
		"a flag":                      "automountServiceAccountToken: false\n",
		"a language model's tokens":   "env:\n- {name: EOS_TOKEN, value: </s>}\n- {name: PAD_TOKEN, value: \"<|endoftext|>\"}\n- {name: MAX_TOKENS, value: \"4096\"}\n",
		"a registry's image digest":   "image: registry.example.com/server@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n",
		"a commit":                    "revision: 27104b8a0f2c4e6d8b0a2c4e6f8a0b2c4d6e8f0a\n",
		"a URL with a user or a port": "uri: https://bot@example.com:8443/x\nlogger: {url: http://broker.example.com:80/path@v2}\n",
		"a URL with a reference":      "uri: postgres://app:$(DB_PASSWORD)@db/x\n",
		"a broken file":               "a: [\n",
		"a key of a mapping":          "key: password\nname: db-password\n",
	}
	for name, content := range tests {
		t.Run(name, func(t *testing.T) {
			if got := places(scan(t, "deployment.yaml", content)); got != "" {
				t.Errorf("found %s", got)
			}
		})
	}
}

const ordinary = `apiVersion: mlops-platform.com/v1alpha1
kind: ModelDeployment
metadata: {name: churn-predictor}
spec:
  team: data-science
  environment: production
  model: {name: churn-predictor, version: "2", format: mlflow, uri: s3://mlops-models/churn-predictor/v2}
  serving:
    replicas: {min: 2, max: 10}
    resources: {requests: {cpu: "1", memory: 2Gi}}
    accelerator: {type: nvidia-t4, count: 1}
    serviceAccountRole: arn:aws:iam::123456789012:role/churn
    env:
      - {name: TOKENIZERS_PARALLELISM, value: "false"}
      - {name: MODEL_PRIMARY_KEY, value: customer_id}
  governance: {businessImpact: high, customerExposure: direct, dataSensitivity: pii, regulations: [gdpr], explainability: required}
  checks: {smoke: {instances: [[1.0, 2.0, 3.0]]}}
`

func TestTheValueIsNeverShown(t *testing.T) {
	r := scan(t, "a.yaml", "id: "+awsKey+"\npassword: "+password+"\n")
	encoded, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %+v %#v %s %v", r, r, r, encoded, r.Findings("a.yaml"))
	for _, value := range []string{awsKey, password} {
		if strings.Contains(shown, value) {
			t.Errorf("%s", shown)
		}
	}
	if f := r.Findings("a.yaml"); len(f) != 2 || f[0].Code != "secret" || f[0].Line != 1 || f[0].File != "a.yaml" {
		t.Errorf("%v", f)
	}
}

func TestHide(t *testing.T) {
	quoted := "pass\"word"
	r := scan(t, "a.yaml", "id: "+awsKey+"\npassword: '"+quoted+"'\nuri: postgres://app:"+password+"@db\n")
	message := fmt.Sprintf("bad id %s, bad password %q, bad uri %s", awsKey, quoted, password)
	if got := r.Hide(message); got != `bad id [hidden], bad password "[hidden]", bad uri [hidden]` {
		t.Error(got)
	}
	encoded := base64.StdEncoding.EncodeToString([]byte("id = " + awsKey + " "))
	if got := scan(t, "a.md", "x "+encoded+"\n").Hide("bad " + encoded); strings.Contains(got, encoded[8:24]) {
		t.Error(got)
	}
	if got := (secrets.Report{}).Hide("nothing"); got != "nothing" {
		t.Error(got)
	}
}

func TestScanIsBoundedInTime(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := secrets.Scan(ctx, "a.yaml", []byte(ordinary)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	ctx, cancel = context.WithDeadlineCause(t.Context(), time.Unix(0, 0), secrets.ErrTimeout)
	defer cancel()
	if _, err := secrets.Scan(ctx, "a.yaml", []byte(ordinary)); !errors.Is(err, secrets.ErrTimeout) {
		t.Errorf("error %v", err)
	}
}

func TestManyScansAtOnce(t *testing.T) {
	content := "id: " + awsKey + "\nb: " + base64.StdEncoding.EncodeToString([]byte("id = "+awsKey+" ")) + "\n"
	want := places(scan(t, "a.yaml", content))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			r, err := secrets.Scan(t.Context(), "a.yaml", []byte(content))
			if got := places(r); err != nil || got != want {
				t.Errorf("%s (%v), want %s", got, err, want)
			}
		})
	}
	wg.Wait()
}

func BenchmarkScanManifest(b *testing.B) {
	scan(b, "a.yaml", "")
	b.SetBytes(int64(len(ordinary)))
	for b.Loop() {
		scan(b, "deployment.yaml", ordinary)
	}
}

// hostile is a file of the greatest size that wakes every rule.
func hostile() []byte {
	line := "aws akia api key secret token password = xoxb- ghp_ glpat- sk_live_ AIza stripe okta npm_ dop_v1_ eyJ " + strings.Repeat("a1B2", 8) + "\n"
	return bytes.Repeat([]byte(line), 256<<10/len(line))
}

func BenchmarkScanHostile(b *testing.B) {
	content := hostile()
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if _, err := secrets.Scan(b.Context(), "a.yaml", content); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzScan(f *testing.F) {
	f.Add("a.yaml", []byte("password: x1y\nid: "+awsKey))
	f.Add("a.md", []byte("postgres://a:"+password+"@b\r\n\n"+github))
	f.Fuzz(func(t *testing.T, file string, content []byte) {
		r, err := secrets.Scan(t.Context(), file, content)
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.Count(content, []byte("\n")) + 1
		for _, m := range r.Matches {
			if m.Line < 0 || m.Line > lines || (m.Line == 0) != (m.Column == 0) {
				t.Fatalf("%+v of %d lines", m, lines)
			}
		}
	})
}
