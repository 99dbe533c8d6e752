// Package vary gives a value's fields other values, one at a time, so that what
// depends on a field can be found by trying.
package vary

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mlops-platform/mooring/schemas"
)

// Change is what has been done to the value.
type Change struct {
	// Field is its path as in the file, such as "spec.pools[1].labels.zone".
	Field string
	// Removed: the field is gone with all in it; a single value that is gone just
	// has another value.
	Removed bool
}

// Each changes a copy of v in one place after another, and calls try with each
// copy; the copy is changed back afterwards, so try must not keep it. Every
// number, text and quantity gets a few other values, which need not be valid;
// every optional field, entry of a list and key of a mapping is taken away once.
func Each[T any](v T, try func(T, Change)) {
	c := reflect.New(reflect.TypeFor[T]()).Elem()
	c.Set(clone(reflect.ValueOf(v)))
	w := walker{try: func(ch Change) { try(c.Interface().(T), ch) }}
	w.walk(c, "", func() {})
}

// opaque types are changed as a whole or, but for quantities, not at all.
func opaque(t reflect.Type) bool {
	for i := range t.NumField() {
		if !t.Field(i).IsExported() {
			return true
		}
	}
	return false
}

func clone(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch {
	case v.Kind() == reflect.Pointer && !v.IsNil():
		p := reflect.New(v.Type().Elem())
		p.Elem().Set(clone(v.Elem()))
		out.Set(p)
	case v.Kind() == reflect.Slice && !v.IsNil():
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(clone(v.Index(i)))
		}
	case v.Kind() == reflect.Map && !v.IsNil():
		out.Set(reflect.MakeMap(v.Type()))
		for key, value := range v.Seq2() {
			out.SetMapIndex(key, clone(value))
		}
	case v.Kind() == reflect.Struct && !opaque(v.Type()):
		for i := range v.NumField() {
			out.Field(i).Set(clone(v.Field(i)))
		}
	default:
		out.Set(v)
	}
	return out
}

type walker struct{ try func(Change) }

// walk changes what v holds. stored puts v back where it came from, after it has
// changed: an entry of a map is a copy.
func (w walker) walk(v reflect.Value, path string, stored func()) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			w.walk(v.Elem(), path, stored)
			whole := v.Elem().Kind() == reflect.Struct && !opaque(v.Elem().Type())
			w.replace(v, reflect.Zero(v.Type()), Change{Field: path, Removed: whole}, stored)
		}
	case reflect.Slice:
		for i := range v.Len() {
			at := fmt.Sprintf("%s[%d]", path, i)
			w.walk(v.Index(i), at, stored)
			rest := reflect.AppendSlice(clone(v.Slice(0, i)), v.Slice(i+1, v.Len()))
			w.replace(v, rest, Change{Field: at, Removed: true}, stored)
		}
	case reflect.Map:
		w.entries(v, path, stored)
	case reflect.Struct:
		if opaque(v.Type()) {
			w.alter(v, path, stored)
			return
		}
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			w.walk(v.Field(i), strings.TrimPrefix(path+"."+name, "."), stored)
		}
	default:
		w.alter(v, path, stored)
	}
}

func (w walker) entries(v reflect.Value, path string, stored func()) {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(a.String(), b.String()) })
	for _, key := range keys {
		at := path + "." + key.String()
		entry := reflect.New(v.Type().Elem()).Elem()
		entry.Set(v.MapIndex(key))
		w.walk(entry, at, func() { v.SetMapIndex(key, entry) })
		v.SetMapIndex(key, reflect.Value{})
		w.try(Change{Field: at, Removed: true})
		v.SetMapIndex(key, entry)
	}
}

func (w walker) alter(v reflect.Value, path string, stored func()) {
	for _, other := range others(v) {
		w.replace(v, other.Convert(v.Type()), Change{Field: path}, stored)
	}
}

// replace tries v with another value and puts its own back.
func (w walker) replace(v, other reflect.Value, c Change, stored func()) {
	was := reflect.New(v.Type()).Elem()
	was.Set(v)
	v.Set(other)
	stored()
	w.try(c)
	v.Set(was)
	stored()
}

var decimal = regexp.MustCompile(`^([0-9]+\.)([0-9]+)$`)

// others are values beside the one that a field has: near ones, and those at
// which something often begins.
func others(v reflect.Value) []reflect.Value {
	var out []reflect.Value
	add := func(other any) { out = append(out, reflect.ValueOf(other)) }
	switch {
	case v.Kind() == reflect.Bool:
		add(!v.Bool())
	case v.CanInt():
		for _, n := range []int64{v.Int() + 1, v.Int() - 1, 0, 1, 2 * v.Int()} {
			if n >= 0 && n != v.Int() {
				add(n)
			}
		}
	case v.CanFloat():
		add(v.Float() + 1)
	case v.Type() == reflect.TypeFor[resource.Quantity]():
		q := v.Interface().(resource.Quantity)
		more := q.DeepCopy()
		more.Add(q)
		add(more)
	case v.Kind() == reflect.String:
		for _, s := range texts(v) {
			add(s)
		}
	}
	return out
}

func texts(v reflect.Value) []string {
	if values := schemas.Values(v.Type()); values != nil {
		return slices.DeleteFunc(slices.Clone(values), func(s string) bool { return s == v.String() })
	}
	if m := decimal.FindStringSubmatch(v.String()); m != nil {
		if n, err := strconv.Atoi(m[2]); err == nil { // else it is longer than any version
			return []string{m[1] + strconv.Itoa(n+1), m[1] + strconv.Itoa(max(n-1, 0))}
		}
	}
	return []string{v.String() + "x"}
}
