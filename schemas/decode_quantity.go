package schemas

import (
	"errors"
	"reflect"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
	"k8s.io/apimachinery/pkg/api/resource"
)

// quantityText is stricter than Kubernetes only where the parser would compute
// with absurd exponents (1e999999999 takes it minutes).
var quantityText = regexp.MustCompile(`^[+]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?$`)

// parseQuantity reads a Kubernetes quantity above zero.
func parseQuantity(s string) (resource.Quantity, error) {
	const form = `write a Kubernetes quantity, such as "500m", "2" or "4Gi"`
	if strings.HasPrefix(s, "-") && quantityText.MatchString(s[1:]) {
		return resource.Quantity{}, rangeError("a quantity is above zero")
	}
	if !quantityText.MatchString(s) {
		return resource.Quantity{}, errors.New(form)
	}
	q, err := resource.ParseQuantity(s)
	if err != nil {
		return resource.Quantity{}, errors.New(form)
	}
	if q.Sign() <= 0 {
		return resource.Quantity{}, rangeError("a quantity is above zero")
	}
	_ = q.String() // keeps the text inside, so that later readers of a shared value write nothing
	return q, nil
}

// quantity decodes a quantity.
func (d *decoder) quantity(p place, into reflect.Value, rule *Rule) {
	if !d.is(p, yaml.ScalarNode) {
		return
	}
	text := p.value.Value
	q, err := parseQuantity(text)
	if err != nil {
		d.unparsed(p, err, "a quantity")
		return
	}
	if rule.Memory {
		if why, remedy := memoryFault(text, q); why != "" {
			d.warn(p.trail.String(), CodeAmount, p.trail.shown()+" is "+why, remedy)
		}
	}
	into.Set(reflect.ValueOf(q))
}

// leastMemory: no process runs in less, so it is a unit that was forgotten or mistyped.
var leastMemory = resource.MustParse("1Mi")

// memoryFault says why a quantity that is well formed is no amount of memory that
// anybody means, and what to write; both are empty where it is one. A fraction of a larger
// unit (1.1Gi) stays: Kubernetes takes it, and everybody knows what it means.
func memoryFault(text string, q resource.Quantity) (why, remedy string) {
	const units = "write it with its unit, such as 512Mi or 2Gi"
	small, whole := q.Cmp(leastMemory) < 0, isWhole(q)
	number, thousandths := strings.CutSuffix(text, "m")
	switch {
	case thousandths && (small || !whole):
		return "in thousandths of a byte (m)", didYouMean(number+"Mi", units)
	case small:
		return "less than 1Mi", units
	case !whole && !strings.ContainsAny(text, "KMGTPEk"):
		return "no whole number of bytes", units
	}
	return "", ""
}

// isWhole reports whether an amount has no fraction.
func isWhole(q resource.Quantity) bool {
	q = q.DeepCopy() // rounding changes it
	return q.RoundUp(0)
}

// didYouMean suggests a text, unless what it was made of may be a secret.
func didYouMean(text, otherwise string) string {
	if looksSecret(text) {
		return otherwise
	}
	return `did you mean "` + text + `"?`
}
