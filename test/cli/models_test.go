package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"strings"
	"testing"
)

const production = "environments/production.yaml"

// keyPair is a key of cosign's kind, made and used by the standard library.
type keyPair struct {
	private *ecdsa.PrivateKey
	public  string
}

func newKey(t *testing.T) keyPair {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{private, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}
}

func (k keyPair) sign(t *testing.T, statement string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(statement))
	sig, err := ecdsa.SignASN1(rand.Reader, k.private, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(sig)
}

// models writes spec.models into the environment.
func (r *repo) models(text string) {
	r.t.Helper()
	r.edit(production, "  pools:\n", "  models:\n"+text+"  pools:\n")
}

func (r *repo) demandSignatures(required string, keys ...string) {
	r.t.Helper()
	text := "    signatures:\n      required: " + required + "\n      keys:\n"
	for _, key := range keys {
		text += "        - |\n          " + strings.ReplaceAll(strings.TrimSpace(key), "\n", "\n          ") + "\n"
	}
	r.models(text)
}

// sign signs what the program prints for a manifest, and writes the signature.
func (r *repo) sign(k keyPair, path string) {
	r.t.Helper()
	o := mlops(r.t, r.dir, "", "model", "statement", path)
	if o.code != 0 {
		r.t.Fatalf("statement: %s", o.all())
	}
	r.edit(path, "    format:", "    signature: "+k.sign(r.t, o.stdout)+"\n    format:")
}

func TestSignedModels(t *testing.T) {
	key, stranger := newKey(t), newKey(t)
	for name, tc := range map[string]struct {
		keys []string
		head func(*repo)
		code string // empty: security passes
		says string
	}{
		"a signed model":               {[]string{key.public}, func(r *repo) { bump(ranker)(r); r.sign(key, ranker) }, "", ""},
		"a signed model with a digest": {[]string{key.public}, func(r *repo) { r.digest(ranker, "ab"); r.sign(key, ranker) }, "", ""},
		"the new key of a rotation":    {[]string{stranger.public, key.public}, func(r *repo) { bump(ranker)(r); r.sign(key, ranker) }, "", ""},
		"no signature":                 {[]string{key.public}, bump(ranker), "unsigned-model", "asks for signed models"},
		"another key":                  {[]string{key.public}, func(r *repo) { bump(ranker)(r); r.sign(stranger, ranker) }, "bad-signature", "none of the environment's keys"},
		"a digest put in after signing": {
			[]string{key.public}, func(r *repo) { r.sign(key, ranker); r.digest(ranker, "ab") }, "bad-signature", "digest sha256:abab",
		},
		"an artefact elsewhere": {
			[]string{key.public},
			func(r *repo) {
				r.sign(key, ranker)
				r.edit(ranker, "    format:", "    uri: s3://other/model\n    format:")
			},
			"bad-signature", "uri s3://other/model",
		},
		"an alias": {[]string{key.public}, func(r *repo) { r.edit(ranker, `version: "9"`, "alias: champion") }, "unpinned-model", "alias"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.base(func(r *repo) { r.demandSignatures("true", tc.keys...) })
			r.head(tc.head)
			p := r.plan()
			verdict, _ := p.stage("security")
			if tc.code == "" {
				if verdict != "pass" {
					t.Errorf("security %s: %+v", verdict, p.change(t, ranker).Findings)
				}
				if o := mlops(t, r.dir, "", "model", "verify", ranker); o.code != 0 {
					t.Errorf("verify exits %d: %s", o.code, o.all())
				}
				return
			}
			f := find(t, p.change(t, ranker).Findings, tc.code)
			if verdict != "fail" || f.Severity != "error" || f.Line < 2 || !strings.Contains(f.Message, tc.says) || f.Remedy == "" {
				t.Errorf("security %s: %+v", verdict, f)
			}
		})
	}
	t.Run("a signature that stayed when the version changed says what was signed", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.base(func(r *repo) { r.sign(key, ranker); r.demandSignatures("true", key.public) })
		r.head(func(r *repo) { r.edit(ranker, `version: "9"`, `version: "10"`) })
		f := find(t, r.plan().change(t, ranker).Findings, "bad-signature")
		if !strings.Contains(f.Message, "signed was (name product-ranker, version 9,") || !strings.Contains(f.Message, "now it says (name product-ranker, version 10,") {
			t.Errorf("%+v", f)
		}
	})
	t.Run("where none is required a bad one is a warning", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.base(func(r *repo) { r.demandSignatures("false", key.public) })
		r.head(func(r *repo) { bump(ranker)(r); r.sign(stranger, ranker) })
		p := r.plan()
		if v, _ := p.stage("security"); v != "pass" || find(t, p.change(t, ranker).Findings, "bad-signature").Severity != "warning" {
			t.Errorf("security %s", v)
		}
	})
}

func (r *repo) digest(path, digits string) {
	r.t.Helper()
	r.edit(path, "    format:", "    digest: sha256:"+strings.Repeat(digits, 32)+"\n    format:")
}

func TestKeysOfAnEnvironment(t *testing.T) {
	key := newKey(t)
	der, err := x509.MarshalPKCS8PrivateKey(key.private)
	if err != nil {
		t.Fatal(err)
	}
	private := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	secret := strings.Split(private, "\n")[1]
	for name, tc := range map[string]struct {
		key   string
		codes []string
	}{
		"no PEM":          {"ssh-ed25519 AAAA", []string{"public-key"}},
		"cut off":         {key.public[:80], []string{"public-key"}},
		"two keys in one": {key.public + key.public, []string{"public-key"}},
		"a private key":   {private, []string{"public-key", "secret"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.head(func(r *repo) { r.demandSignatures("true", key.public, tc.key) })
			p, o := r.planRaw()
			for _, code := range tc.codes {
				if f := find(t, p.change(t, production).Findings, code); f.File != production || f.Line < 10 || f.Column < 2 {
					t.Errorf("%+v", f)
				}
			}
			for _, o := range []outcome{o, mlops(t, r.dir, "", "validate"), mlops(t, r.dir, "", "model", "verify", ranker)} {
				if strings.Contains(o.all(), secret) {
					t.Errorf("the private key is shown:\n%s", o.all())
				}
			}
		})
	}
	t.Run("good keys are no secrets", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.demandSignatures("true", key.public, newKey(t).public)
		if v := r.validate(); !v.Valid || codes(v.Findings) != "" {
			t.Errorf("%+v", v.Findings)
		}
	})
}

func TestPickleIsRefusedWhereTheEnvironmentSaysSo(t *testing.T) {
	refuse := func(r *repo) { r.models("    pickle: refuse\n") }
	format := func(f string) func(*repo) {
		return func(r *repo) { r.edit(ranker, "format: xgboost", "format: "+f) }
	}
	for name, tc := range map[string]struct {
		base, head func(*repo)
		severity   string // of a finding pickle; empty: none
	}{
		"a booster":                          {refuse, bump(ranker), ""},
		"sklearn":                            {refuse, format("sklearn"), "error"},
		"sklearn where pickle is allowed":    {func(r *repo) { r.models("    pickle: allow\n") }, format("sklearn"), ""},
		"sklearn where nothing is said":      {nil, format("sklearn"), ""},
		"mlflow":                             {refuse, format("mlflow"), "error"},
		"a large language model":             {refuse, format("huggingface"), "warning"},
		"a booster in a pickle":              {refuse, func(r *repo) { r.edit(ranker, "    format:", "    uri: s3://b/model.PKL\n    format:") }, "error"},
		"a model of the base stays as it is": {refuse, bump(tagger), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.base(tc.base)
			r.head(tc.head)
			p := r.plan()
			var got string
			for _, f := range p.Changes[0].Findings {
				if f.Code == "pickle" {
					got = f.Severity
				}
			}
			if v, _ := p.stage("security"); got != tc.severity || (v == "fail") != (tc.severity == "error") {
				t.Errorf("pickle %q, security %s: %+v", got, v, p.Changes[0].Findings)
			}
		})
	}
}

func TestPrivilegedSettingsAreRefused(t *testing.T) {
	env := func(name string) func(*repo) {
		return func(r *repo) {
			r.edit(ranker, "    autoscaling:", "    env:\n      - {name: "+name+", value: /opt/x}\n    autoscaling:")
		}
	}
	role := func(name string) func(*repo) {
		return func(r *repo) {
			r.edit(ranker, "    autoscaling:", "    serviceAccountRole: arn:aws:iam::123456789012:role/"+name+"\n    autoscaling:")
		}
	}
	roles := func(r *repo) {
		r.edit(production, "  pools:\n", "  serviceAccountRoles: [\"arn:aws:iam::123456789012:role/{team}/*\"]\n  pools:\n")
	}
	for name, tc := range map[string]struct {
		base, head func(*repo)
		code       string
	}{
		"a preloaded library":     {nil, env("LD_PRELOAD"), "privileged-env"},
		"another artefact":        {nil, env("STORAGE_URI"), "privileged-env"},
		"a setting":               {nil, env("LOG_FOLDER"), ""},
		"a path that climbs":      {nil, func(r *repo) { r.edit(ranker, "    format:", "    uri: pvc://claim/../x\n    format:") }, "artifact-uri"},
		"another team's role":     {roles, role("clinical-ai/reader"), "role-not-allowed"},
		"the team's role":         {roles, role("data-science/reader"), ""},
		"any role, if none named": {nil, role("clinical-ai/reader"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.base(tc.base)
			r.head(tc.head)
			p := r.plan()
			v, _ := p.stage("security")
			if tc.code == "" {
				if v != "pass" {
					t.Errorf("security %s: %+v", v, p.Changes[0].Findings)
				}
				return
			}
			if f := find(t, p.Changes[0].Findings, tc.code); v != "fail" || f.Severity != "error" || f.Line < 10 {
				t.Errorf("security %s: %+v", v, f)
			}
		})
	}
}

func TestTheModelCommands(t *testing.T) {
	key := newKey(t)
	r := newRepo(t)
	file := func(name, text string) string {
		if err := os.WriteFile(r.path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	public, other := file("public.pem", key.public), file("other.pem", newKey(t).public)
	o := mlops(t, r.dir, "", "model", "statement", ranker)
	if want := "mooring model statement v1\nname: product-ranker\nversion: 9\nuri: s3://mlops-models/product-ranker/v9\ndigest: none\n"; o.stdout != want {
		t.Errorf("the statement is\n%s", o.all())
	}
	for _, tc := range []struct {
		name string
		code int
		says string
		args []string
	}{
		{"no signature", 1, "is missing", []string{"verify", ranker, "--key", public}},
		{"no key", 2, "--key", []string{"verify", ranker}},
		{"a key that is none", 2, "PEM", []string{"verify", ranker, "--key", file("none.pem", "x")}},
		{"a key that is not there", 2, "no such file", []string{"verify", ranker, "--key", "absent.pem"}},
		{"no manifest", 2, "deployment.yaml", []string{"statement", "governance.yaml"}},
		{"a manifest that is not there", 2, "no such file", []string{"statement", "models/a/b/c/deployment.yaml"}},
		{"no argument", 2, "arg", []string{"statement"}},
	} {
		if o := mlops(t, r.dir, "", append([]string{"model"}, tc.args...)...); o.code != tc.code || !strings.Contains(o.all(), tc.says) {
			t.Errorf("%s: exit %d: %s", tc.name, o.code, o.all())
		}
	}
	r.sign(key, ranker)
	for _, tc := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--key", public}, 0, "good: signed by key 1 over name product-ranker, version 9"},
		{[]string{"--key", other, "--key", public}, 0, "good: signed by key 2"},
		{[]string{"--key", other}, 1, "NOT GOOD"},
		{[]string{"--key", other, "-o", "json"}, 1, `"valid": false`},
	} {
		if o := mlops(t, r.dir, "", append([]string{"model", "verify", ranker}, tc.args...)...); o.code != tc.code || !strings.Contains(o.stdout, tc.says) {
			t.Errorf("%v: exit %d: %s", tc.args, o.code, o.all())
		}
	}
	r.edit(ranker, `version: "9"`, "alias: champion")
	if o := mlops(t, r.dir, "", "model", "statement", ranker); o.code != 2 || !strings.Contains(o.stderr, "version is not known") {
		t.Errorf("of an alias: exit %d: %s", o.code, o.all())
	}
}
