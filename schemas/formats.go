package schemas

import (
	"net/netip"
	"regexp"
	"strings"
	"time"
	_ "time/tzdata" // time zones are judged the same where the system has none
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Format is a form that a text must have. Formats are named in the `rule` tags
// of the types; the loader and the JSON Schemas both follow them.
type Format struct {
	// Pattern is a regular expression that JavaScript and Go read alike.
	Pattern string
	// Max is the greatest length in characters; 0: as the pattern allows.
	Max int
	// Meaning is the remedy: what to write.
	Meaning string

	re    *regexp.Regexp
	extra func(string) bool
}

// accepts reports whether a text has the format.
func (f *Format) accepts(s string) bool {
	return !f.tooLong(s) && f.re.MatchString(s) && (f.extra == nil || f.extra(s))
}

func (f *Format) tooLong(s string) bool { return f.Max > 0 && utf8.RuneCountInString(s) > f.Max }

// FormatNamed is the format of that name, or nil.
func FormatNamed(name string) *Format { return formats[name] }

const (
	dnsLabel     = `[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?`
	dnsSubdomain = dnsLabel + `(\.` + dnsLabel + `)*`

	// A part of a template's path is neither empty nor . or .., so that it says where
	// it leads. A manifest's own URI is judged by policy/artifact.
	templateChar = `[0-z|~]|\{name\}|\{version\}`
	templatePart = `(\.{0,2}([!-\-]|` + templateChar + `)([!-.]|` + templateChar + `)*|\.{3}([!-.]|` + templateChar + `)*)`
)

// formats of texts. The names of Kubernetes objects follow Kubernetes' rules:
// https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
var formats = compileFormats(map[string]*Format{
	"name": {
		Pattern: `^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$`,
		Meaning: "use at most 40 lower-case letters, digits and hyphens, beginning with a letter and ending with a letter or digit",
	},
	"label": {
		Pattern: `^` + dnsLabel + `$`,
		Meaning: "use at most 63 lower-case letters, digits and hyphens, beginning and ending with a letter or digit",
	},
	"word": {
		Pattern: `^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`,
		Meaning: "use at most 63 letters, digits, dots, hyphens and underscores",
	},
	"registered": {
		Pattern: `^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`,
		Meaning: "use at most 128 letters, digits, dots, hyphens and underscores, beginning with a letter or digit",
	},
	"uri": {
		Pattern: `^(s3|gs|pvc|hf|oci)://[A-Za-z0-9][!-~]*$`, Max: 1024,
		Meaning: "write it as s3://, gs://, pvc://, hf:// or oci:// and a path without spaces",
	},
	"url": {
		Pattern: `^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[!-~]*)?$`, Max: 1024,
		Meaning: "write it as http:// or https://, a host and a path; credentials do not belong in it",
	},
	"role-arn": {
		Pattern: `^arn:aws[-a-z]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}$`,
		Meaning: "write it as arn:aws:iam::ACCOUNT:role/NAME with the account's 12 digits",
	},
	"role-template": {
		Pattern: `^arn:aws[-a-z]*:iam::[0-9]{12}:role/([A-Za-z0-9+=,.@_/-]|\{team\}|\{environment\})+\*?$`, Max: 512,
		Meaning: "write it as arn:aws:iam::ACCOUNT:role/NAME; NAME may hold {team} and {environment}, and end with *",
	},
	"digest": {
		Pattern: `^sha256:[0-9a-f]{64}$`,
		Meaning: "write sha256: and the 64 lower-case hexadecimal digits of the artefact's SHA-256",
	},
	"base64": {
		Pattern: `^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$`, Max: 1024,
		Meaning: "write it in base64, on one line, with its padding",
		extra:   func(s string) bool { return s != "" },
	},
	"image": {
		Pattern: `^[a-z0-9]+([._-]+[a-z0-9]+)*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?$`, Max: 512,
		Meaning: "write it as REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:DIGEST",
	},
	"env": {
		Pattern: `^[-._a-zA-Z][-._a-zA-Z0-9]*$`, Max: 253,
		Meaning: "use letters, digits, hyphens, dots and underscores, not beginning with a digit",
		extra:   func(s string) bool { return len(validation.IsEnvVarName(s)) == 0 },
	},
	"object": {
		Pattern: `^` + dnsSubdomain + `$`, Max: 253,
		Meaning: "use the name of a Kubernetes object: lower-case letters, digits, hyphens and dots",
	},
	"object-key": {
		Pattern: `^[-._a-zA-Z0-9]+$`, Max: 253,
		Meaning: "use letters, digits, hyphens, dots and underscores",
		extra:   func(s string) bool { return len(validation.IsConfigMapKey(s)) == 0 },
	},
	"field-path": {
		Pattern: `^(metadata\.(name|namespace|uid|(labels|annotations)\['[A-Za-z0-9./_-]+'\])|spec\.(nodeName|serviceAccountName)|status\.(hostIPs?|podIPs?))$`,
		Meaning: "write a field that Kubernetes offers to environment variables, such as metadata.name or status.podIP",
	},
	"resource": {
		Pattern: `^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`,
		Meaning: "write a name such as nvidia-t4 or a resource such as nvidia.com/gpu",
		extra:   func(s string) bool { return len(validation.IsQualifiedName(s)) == 0 },
	},
	"extended-resource": {
		Pattern: `^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`,
		Meaning: "write the extended resource that nodes offer, with its domain, such as nvidia.com/gpu; none of kubernetes.io",
		extra:   isExtendedResource,
	},
	"label-key": {
		Pattern: `^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`,
		Meaning: "write a Kubernetes label key, such as workload-type or example.com/tier",
		extra:   func(s string) bool { return len(validation.IsQualifiedName(s)) == 0 },
	},
	"label-value": {
		Pattern: `^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$`,
		Meaning: "write a Kubernetes label value: at most 63 letters, digits, dots, hyphens and underscores",
	},
	"group": {
		Pattern: `^[A-Za-z0-9][A-Za-z0-9._:/@-]*$`, Max: 253,
		Meaning: "write a group of people as the cluster's authenticator names it; Kubernetes' own (system:...) are none",
		extra:   func(s string) bool { return !strings.HasPrefix(s, "system:") },
	},
	"cidr": {
		Pattern: `^[0-9a-f.:]+/[0-9]{1,3}$`,
		Meaning: "write a range of addresses such as 10.0.0.0/16 or fd00::/8, with no bit set beyond the prefix",
		extra:   func(s string) bool { p, err := netip.ParsePrefix(s); return err == nil && p.Masked() == p },
	},
	"feature": {
		Pattern: `^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,127}$`,
		Meaning: "write the name of a Feast feature view or feature service",
	},
	"login": {
		Pattern: `^([1-9][0-9]{0,17}\+)?[A-Za-z0-9][A-Za-z0-9_-]{0,99}$`,
		Meaning: "write a GitHub login, without @, or ID+LOGIN with GitHub's number of the account",
	},
	"team-slug": {
		Pattern: `^[A-Za-z0-9][A-Za-z0-9_-]{0,99}/[A-Za-z0-9_][A-Za-z0-9._-]{0,254}$`,
		Meaning: "write a GitHub team as ORGANISATION/TEAM",
	},
	"registry": {
		Pattern: `^[A-Za-z0-9][A-Za-z0-9._:/-]*$`, Max: 253,
		Meaning: "write the beginning of an image's name, such as registry.example.com/",
	},
	"path": {
		Pattern: `^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$`, Max: MaxPathBytes,
		Meaning: "write a path from the root of the repository, of letters, digits, dots, hyphens, underscores and slashes",
	},
	"currency": {Pattern: `^[A-Z]{3}$`, Meaning: "write the currency's three capital letters, such as USD"},
	"clock":    {Pattern: `^([01][0-9]|2[0-3]):[0-5][0-9]$`, Meaning: `write the time as "HH:MM", such as "14:00"`},
	"weekday": {
		Pattern: `^(Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)$`,
		Meaning: "write the day in English, such as Thursday",
	},
	"time-zone": {
		Pattern: `^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$`, Max: 64,
		Meaning: "write a name of the time zone database, such as America/New_York or UTC",
		extra:   knownTimeZone,
	},
	"minor-version": {Pattern: `^[0-9]{1,4}\.[0-9]{1,4}$`, Meaning: `write major and minor version in quotes, such as "0.20"`},
	"overlay": {
		Pattern: `^overlays(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$`, Max: 253,
		Meaning: "write a folder under overlays/, such as overlays/production",
	},
	"namespace-template": {
		Pattern: `^([-a-z0-9]|\{team\}|\{environment\})+$`, Max: 128,
		Meaning: "use lower-case letters, digits, hyphens and the placeholders {team} and {environment}",
	},
	"hostname-template": {
		Pattern: `^([-a-z0-9.]|\{model\}|\{team\}|\{environment\})+$`, Max: 253,
		Meaning: "use lower-case letters, digits, hyphens, dots and the placeholders {model}, {team} and {environment}",
	},
	"artifacts-template": {
		Pattern: `^(s3|gs|pvc|hf|oci)://` + templatePart + `(/` + templatePart + `)*/?$`, Max: 512,
		Meaning: "write a storage URI (s3, gs, pvc, hf, oci) with no placeholders but {name} and {version}, and without empty parts, . and ..",
	},
	"email": {Pattern: `^[^@\s]+@[^@\s]+$`, Max: 254, Meaning: "write an address such as team@example.com"},
	"line":  {Pattern: `^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$`, Max: 500, Meaning: "write one line of text"},
	"date": {
		Pattern: `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`,
		Meaning: "write a day as YYYY-MM-DD",
		extra:   func(s string) bool { _, err := time.Parse(time.DateOnly, s); return err == nil },
	},
})

func compileFormats(fs map[string]*Format) map[string]*Format {
	for _, f := range fs {
		f.re = regexp.MustCompile(f.Pattern)
	}
	return fs
}

// isExtendedResource is Kubernetes' own rule; a native resource such as cpu would
// overwrite what containers and quota say of it.
// https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#extended-resources
func isExtendedResource(s string) bool {
	return !strings.Contains(s, "kubernetes.io/") && !strings.HasPrefix(s, "requests.") && len(validation.IsQualifiedName("requests."+s)) == 0
}

// knownTimeZone accepts what the time zone database names. "Local" would mean
// another zone on every machine.
func knownTimeZone(s string) bool {
	if s == "Local" {
		return false
	}
	_, err := time.LoadLocation(s)
	return err == nil
}
