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

// quantity decodes a quantity and holds it against what it is an amount of.
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
	if fault := amounts[rule.Amount]; fault != nil {
		if why, remedy := fault(text, q); why != "" {
			d.bad(p, CodeOutOfRange, p.trail.shown()+" is "+why, remedy)
			return
		}
	}
	into.Set(reflect.ValueOf(q))
}

// amounts say why a quantity that is well formed is no amount that anybody means,
// and what to write; both are empty where it is one.
var amounts = map[string]func(text string, q resource.Quantity) (why, remedy string){
	"cpu":    cpuFault,
	"memory": memoryFault,
}

// leastMemory: no process runs in less, so it is a unit that was forgotten or mistyped.
var leastMemory = resource.MustParse("1Mi")

// memoryFault refuses amounts without a sensible unit. A fraction of a larger
// unit (1.1Gi) stays: Kubernetes takes it, and everybody knows what it means.
func memoryFault(text string, q resource.Quantity) (why, remedy string) {
	const units = "write it with its unit, such as 512Mi or 2Gi"
	small, whole := q.Cmp(leastMemory) < 0, !finerThan(q, 0)
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

// cpuFault refuses what is finer than Kubernetes counts.
// https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#meaning-of-cpu
func cpuFault(text string, q resource.Quantity) (why, remedy string) {
	const units = "write it in whole thousandths of a core, such as 100m or 0.1"
	if !finerThan(q, resource.Milli) {
		return "", ""
	}
	if number, finer := strings.CutSuffix(strings.TrimSuffix(text, "n"), "u"); finer || number != text {
		return "finer than 1m, the least part of a core that Kubernetes counts", didYouMean(number+"m", units)
	}
	return "finer than 1m, the least part of a core that Kubernetes counts", units
}

// finerThan reports whether an amount is no whole multiple of a power of ten.
func finerThan(q resource.Quantity, scale resource.Scale) bool {
	q = q.DeepCopy() // rounding changes it
	return !q.RoundUp(scale)
}

// didYouMean suggests a text, unless what it was made of may be a secret.
func didYouMean(text, otherwise string) string {
	if looksSecret(text) {
		return otherwise
	}
	return `did you mean "` + text + `"?`
}
