package lru

import (
	"testing"

	"pgregory.net/rapid"
)

func TestTheCacheKeepsItsBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := New[int, int](rapid.IntRange(1, 50).Draw(t, "limit"))
		for range rapid.IntRange(0, 200).Draw(t, "puts") {
			k := rapid.IntRange(0, 30).Draw(t, "key")
			c.Put(k, k, rapid.IntRange(1, 60).Draw(t, "weight"))
			if v, ok := c.Get(k); ok && v != k {
				t.Fatalf("key %d holds %d", k, v)
			}
			total := 0
			for _, e := range c.items {
				total += e.Value.(*item[int, int]).weight
			}
			if total != c.weight || total > c.limit || len(c.items) != c.order.Len() {
				t.Fatalf("weight %d, counted %d, limit %d", c.weight, total, c.limit)
			}
		}
	})
}
