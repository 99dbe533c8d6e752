package fields

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// scope says where a value stands, as far as that decides its meaning: only
// known quantity fields are read as quantities, for a label "1.0" is not "1".
type scope struct {
	parent, key string
	metadata    bool
}

// child is the scope of the field key below s. Below metadata nothing is a
// quantity, whatever a label is called.
func (s scope) child(key string) scope {
	inMetadata := s.metadata || (s.parent == "" && s.key == "" && key == "metadata")
	return scope{parent: s.key, key: key, metadata: inMetadata}
}

// quantityMaps are fields whose values are all quantities; quantityFields are
// quantities themselves.
var (
	quantityMaps = map[string]bool{
		"requests": true, "limits": true, "hard": true, "capacity": true, "overhead": true,
		"default": true, "defaultRequest": true, "max": true, "min": true, "maxLimitRequestRatio": true,
	}
	quantityFields = map[string]bool{
		"sizeLimit": true, "divisor": true, "averageValue": true, "targetAverageValue": true,
	}
)

func (s scope) isQuantity() bool {
	if s.metadata {
		return false
	}
	return quantityMaps[s.parent] || quantityFields[s.key] || (s.parent == "target" && s.key == "value")
}

// appendCanonical writes v such that two values with the same meaning give the
// same bytes, and two with different meanings never do.
func appendCanonical(buf []byte, v any, at scope) []byte {
	switch v := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		buf = append(buf, '{')
		for _, key := range keys {
			buf = strconv.AppendQuote(buf, key)
			buf = append(buf, ':')
			buf = appendCanonical(buf, v[key], at.child(key))
			buf = append(buf, ',')
		}
		return append(buf, '}')
	case []any:
		buf = append(buf, '[')
		for _, item := range v {
			buf = appendCanonical(buf, item, scope{metadata: at.metadata, key: " item"})
			buf = append(buf, ',')
		}
		return append(buf, ']')
	default:
		return appendScalar(buf, v, at)
	}
}

func appendScalar(buf []byte, v any, at scope) []byte {
	if at.isQuantity() {
		if text, ok := quantity(v); ok {
			return append(append(buf, 'q'), text...)
		}
	}
	switch v := v.(type) {
	case nil:
		return append(buf, "null"...)
	case bool:
		return strconv.AppendBool(buf, v)
	case string:
		return strconv.AppendQuote(buf, v)
	}
	if text, ok := number(v); ok {
		return append(buf, text...)
	}
	// Nothing else comes out of JSON; encoding keeps an unknown type distinct.
	raw, _ := json.Marshal(v)
	return append(append(buf, '?'), raw...)
}

// number spells 1 and 1.0 alike: JSON has one number type.
func number(v any) (string, bool) {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10), true
	case int:
		return strconv.Itoa(v), true
	case int32:
		return strconv.Itoa(int(v)), true
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return strconv.FormatInt(int64(v), 10), true
		}
		return strconv.FormatFloat(v, 'g', -1, 64), true
	case json.Number:
		return v.String(), true
	}
	return "", false
}

// quantity is the exact number that v stands for as a Kubernetes quantity.
func quantity(v any) (string, bool) {
	text, isString := v.(string)
	if !isString {
		var ok bool
		if text, ok = number(v); !ok {
			return "", false
		}
	}
	if !plausibleQuantity(text) {
		return "", false
	}
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return "", false
	}
	if i, ok := q.AsInt64(); ok {
		return strconv.FormatInt(i, 10), true
	}
	exact, ok := new(big.Rat).SetString(q.AsDec().String())
	if !ok {
		return "", false
	}
	return exact.RatString(), true
}

// plausibleQuantity keeps the parser from expanding a hostile exponent such as
// 1e999999999 into that many digits.
func plausibleQuantity(text string) bool {
	const longest, exponentDigits = 32, 3
	if text == "" || len(text) > longest {
		return false
	}
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		return len(text)-i-1 <= exponentDigits
	}
	return true
}

// equal compares two values by meaning.
func equal(a, b any, at scope) bool {
	return bytes.Equal(appendCanonical(nil, a, at), appendCanonical(nil, b, at))
}
