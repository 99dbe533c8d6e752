package schemas

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
	"k8s.io/apimachinery/pkg/api/resource"
)

// scalarReaders decode the types whose text has a meaning of its own.
var scalarReaders map[reflect.Type]func(*decoder, place, reflect.Value, *Rule)

func init() { // not in the declaration: the readers use the map themselves
	scalarReaders = map[reflect.Type]func(*decoder, place, reflect.Value, *Rule){
		reflect.TypeFor[Duration]():          parsed(ParseDuration, "a duration"),
		reflect.TypeFor[Percent]():           parsed(ParsePercent, "a percentage"),
		reflect.TypeFor[Money]():             parsed(parseAmount, "an amount"),
		reflect.TypeFor[resource.Quantity](): (*decoder).quantity,
		reflect.TypeFor[time.Time]():         parsed(parseTime, "a point in time"),
		reflect.TypeFor[Date]():              parsed(parseDate, "a day"),
		reflect.TypeFor[any]():               (*decoder).free,
		reflect.TypeFor[Fragment]():          (*decoder).fragment,
	}
}

// opaque reports that a type is decoded as a whole, though it may be a struct.
func opaque(t reflect.Type) bool { return scalarReaders[t] != nil }

// parsed decodes by a function of the scalar's text, quoted or not.
func parsed[T any](parse func(string) (T, error), what string) func(*decoder, place, reflect.Value, *Rule) {
	return func(d *decoder, p place, into reflect.Value, _ *Rule) {
		if !d.is(p, yaml.ScalarNode) {
			return
		}
		v, err := parse(p.value.Value)
		if err != nil {
			d.unparsed(p, err, what)
			return
		}
		into.Set(reflect.ValueOf(v))
	}
}

// unparsed reports a scalar that its reader refused.
func (d *decoder) unparsed(p place, err error, what string) {
	code, message := CodeInvalidValue, p.trail.shown()+" is not "+what
	if _, outside := err.(rangeError); outside {
		code, message = CodeOutOfRange, p.trail.shown()+" is out of range"
	}
	d.bad(p, code, message, err.Error())
}

// rangeError says that a text is well formed but its value outside the bounds.
type rangeError string

func (e rangeError) Error() string { return string(e) }

// parseAmount is ParseMoney with a word about negative amounts.
func parseAmount(s string) (Money, error) {
	if rest, negative := strings.CutPrefix(s, "-"); negative {
		if _, err := ParseMoney(rest); err == nil {
			return 0, rangeError("an amount of money is not negative")
		}
	}
	v, err := ParseMoney(s)
	if err != nil {
		return 0, errors.New(`write a decimal number with at most six decimals, such as "0.2304"`)
	}
	return v, nil
}

func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, errors.New(`write date, time and zone, such as "2026-12-24T00:00:00Z"`)
	}
	return t, nil
}

func parseDate(s string) (Date, error) {
	if f := formats["date"]; !f.accepts(s) {
		return "", errors.New(f.Meaning)
	}
	return Date(s), nil
}

func (d *decoder) boolean(p place, into reflect.Value) {
	if !d.is(p, yaml.ScalarNode) {
		return
	}
	if p.value.Tag != "!!bool" || p.value.Value != "true" && p.value.Value != "false" {
		d.bad(p, CodeWrongType, p.trail.shown()+" is a boolean", "write true or false, without quotes")
		return
	}
	into.SetBool(p.value.Value == "true")
}

var (
	integerText = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)
	numberText  = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
)

// plainNumber checks that a node is a number written in decimal, unquoted.
func (d *decoder) plainNumber(p place, form *regexp.Regexp, what string) bool {
	if !d.is(p, yaml.ScalarNode) {
		return false
	}
	switch n := p.value; {
	case n.Tag == "!!str":
		d.bad(p, CodeWrongType, p.trail.shown()+" is "+what+", this is a text", "write the number without quotes")
	case n.Tag == "!!float" && strings.Trim(strings.ToLower(n.Value), "+-.") != "" && !strings.ContainsAny(n.Value, "0123456789"):
		d.bad(p, CodeNotFinite, p.trail.shown()+" is "+what+"; NaN and infinities are not allowed", "write a finite number")
	case n.Tag != "!!int" && n.Tag != "!!float" || !form.MatchString(n.Value):
		d.bad(p, CodeWrongType, p.trail.shown()+" is "+what+" in plain decimal digits", "write it without sign, prefix, leading zeros or separators")
	default:
		return true
	}
	return false
}

func (d *decoder) integer(p place, into reflect.Value, rule *Rule) {
	if !d.plainNumber(p, integerText, "a whole number") {
		return
	}
	bits := into.Type().Bits()
	if bits == 64 && into.Kind() == reflect.Int {
		bits = 32 // so that a file means the same on every machine
	}
	v, err := strconv.ParseInt(p.value.Value, 10, bits)
	if err != nil {
		d.bad(p, CodeOutOfRange, p.trail.shown()+" is too large", boundsOf(rule))
		return
	}
	if d.bounded(p, float64(v), rule) {
		into.SetInt(v)
	}
}

func (d *decoder) float(p place, into reflect.Value, rule *Rule) {
	if !d.plainNumber(p, numberText, "a number") {
		return
	}
	v, err := strconv.ParseFloat(p.value.Value, 64)
	if err != nil || math.IsInf(v, 0) {
		d.bad(p, CodeOutOfRange, p.trail.shown()+" is too large", boundsOf(rule))
		return
	}
	if d.bounded(p, v, rule) {
		into.SetFloat(v)
	}
}

func (d *decoder) bounded(p place, v float64, rule *Rule) bool {
	if rule.Min != nil && v < *rule.Min || rule.Max != nil && v > *rule.Max {
		d.bad(p, CodeOutOfRange, p.trail.shown()+" is out of range", boundsOf(rule))
		return false
	}
	return true
}

// boundsOf says in words which numbers a rule allows.
func boundsOf(rule *Rule) string {
	number := func(f *float64) string { return strconv.FormatFloat(*f, 'f', -1, 64) }
	switch {
	case rule.Min != nil && rule.Max != nil:
		return "write a number from " + number(rule.Min) + " to " + number(rule.Max)
	case rule.Min != nil:
		return "write a number of at least " + number(rule.Min)
	}
	return "write a smaller number"
}

// free decodes the JSON of the author's own (smoke test payloads). Numbers keep
// their text as json.Number: some servers tell 1.0 from 1.
func (d *decoder) free(p place, into reflect.Value, _ *Rule) {
	var (
		v    any
		rule = new(Rule)
	)
	switch n := p.value; {
	case n.Kind == yaml.MappingNode:
		m := map[string]any{}
		d.mapping(p, reflect.ValueOf(&m).Elem(), rule)
		v = m
	case n.Kind == yaml.SequenceNode:
		var l []any
		d.list(p, reflect.ValueOf(&l).Elem(), rule)
		v = l
	case n.Tag == "!!str":
		v = n.Value
	case n.Tag == "!!bool":
		var b bool
		d.boolean(p, reflect.ValueOf(&b).Elem())
		v = b
	case n.Tag == "!!int" || n.Tag == "!!float":
		var f float64
		d.float(p, reflect.ValueOf(&f).Elem(), rule)
		v = json.Number(n.Value)
	default:
		d.bad(p, CodeWrongType, p.trail.shown()+" reads as "+kindOfScalar(n), "quote it")
		return
	}
	into.Set(reflect.ValueOf(v))
}
