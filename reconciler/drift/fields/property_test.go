package fields

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

type leaf struct {
	path []string
	mine bool
}

// tree draws an object whose leaves are each owned by us or by another.
func tree(t *rapid.T) (*unstructured.Unstructured, []leaf) {
	obj := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "example.com/v1", "kind": "Thing"}}
	var leaves []leaf
	sections := rapid.IntRange(1, 4).Draw(t, "sections")
	for s := range sections {
		for k := range rapid.IntRange(1, 4).Draw(t, "keys") {
			path := []string{"spec", fmt.Sprintf("s%d", s), fmt.Sprintf("k%d", k)}
			set(scalar(t), path...)(obj)
			leaves = append(leaves, leaf{path, rapid.Bool().Draw(t, "mine")})
		}
	}
	leaves[0].mine = true
	own(obj, leaves)
	return obj, leaves
}

func scalar(t *rapid.T) any {
	return rapid.OneOf(
		rapid.Map(rapid.Int64(), func(i int64) any { return i }),
		rapid.Map(rapid.String(), func(s string) any { return s }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.SliceOf(rapid.String()), func(list []string) any {
			out := make([]any, len(list))
			for i, s := range list {
				out[i] = s
			}
			return out
		}),
	).Draw(t, "value")
}

func own(obj *unstructured.Unstructured, leaves []leaf) {
	sets := map[bool]*fieldpath.Set{true: {}, false: {}}
	for _, l := range leaves {
		parts := make([]any, len(l.path))
		for i, p := range l.path {
			parts[i] = p
		}
		sets[l.mine].Insert(fieldpath.MakePathOrDie(parts...))
	}
	var entries []metav1.ManagedFieldsEntry
	for mine, s := range sets {
		raw, err := s.ToJSON()
		if err != nil {
			panic(err)
		}
		entry := metav1.ManagedFieldsEntry{Manager: "other", Operation: metav1.ManagedFieldsOperationUpdate, FieldsV1: metav1.NewFieldsV1(string(raw))}
		if mine {
			entry.Manager, entry.Operation = manager, metav1.ManagedFieldsOperationApply
		}
		entries = append(entries, entry)
	}
	obj.SetManagedFields(entries)
}

func mustHash(t *rapid.T, obj *unstructured.Unstructured) string {
	h, err := Hash(obj, manager)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestEveryOwnedValueCountsAndNoForeignOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		obj, leaves := tree(t)
		before := mustHash(t, obj)
		picked := rapid.SampledFrom(leaves).Draw(t, "leaf")
		changed := obj.DeepCopy()
		set("something entirely different", picked.path...)(changed)
		if same := mustHash(t, changed) == before; same == picked.mine {
			t.Fatalf("leaf %v, owned %v: hash same %v", picked.path, picked.mine, same)
		}
		owned, err := Owned(obj, manager)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(OwnedChanges(obj, changed, owned)); (n > 0) != picked.mine {
			t.Fatalf("leaf %v, owned %v: %d changes", picked.path, picked.mine, n)
		}
	})
}

func TestLosingAnOwnedFieldCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		obj, leaves := tree(t)
		before := mustHash(t, obj)
		taken := obj.DeepCopy()
		for i := range leaves {
			if leaves[i].mine {
				leaves[i].mine = false
				break
			}
		}
		own(taken, leaves)
		after, err := Hash(taken, manager)
		if err == nil && after == before {
			t.Fatal("another manager took a field, and the hash is the same")
		}
	})
}

func TestHashSurvivesARoundTrip(t *testing.T) {
	// Key order and the types that decoding yields must not matter.
	rapid.Check(t, func(t *rapid.T) {
		obj, _ := tree(t)
		raw, err := obj.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		again := &unstructured.Unstructured{}
		if err := again.UnmarshalJSON(raw); err != nil {
			t.Fatal(err)
		}
		if mustHash(t, again) != mustHash(t, obj) {
			t.Fatal("hash differs after encoding and decoding")
		}
	})
}

func TestQuantitiesAreComparedAsNumbers(t *testing.T) {
	at := scope{parent: "requests", key: "cpu"}
	rapid.Check(t, func(t *rapid.T) {
		whole := rapid.Int64Range(0, 1<<40).Draw(t, "n")
		other := rapid.Int64Range(0, 1<<40).Draw(t, "other")
		milli := fmt.Sprintf("%dm", whole*1000)
		if !equal(fmt.Sprint(whole), milli, at) || !equal(whole, milli, at) {
			t.Fatalf("%d and %s differ", whole, milli)
		}
		if equal(fmt.Sprint(whole), fmt.Sprint(other), at) != (whole == other) {
			t.Fatalf("%d and %d", whole, other)
		}
	})
}

func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{"1", "1000m", "1e3", "1e999999999", "-1", "1.5Gi", "", "0x10", "1E-9999", "٣"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		text := equal(a, b, scope{metadata: true, parent: "requests"})
		if text != (a == b) {
			t.Errorf("as text, %q and %q: equal %v", a, b, text)
		}
		if !equal(a, a, scope{parent: "requests"}) {
			t.Errorf("%q is not itself", a)
		}
	})
}
