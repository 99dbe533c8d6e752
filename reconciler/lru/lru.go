// Package lru is the one bounded cache of what is computed from Git content.
// Keys are names of content (object ids and what goes with them), so that a
// value never grows stale and nothing has to be invalidated.
package lru

import (
	"container/list"
	"sync"
)

// Cache is a bounded cache of immutable values, safe for concurrent use. The
// bound is a total weight rather than a count, because one folder may hold a
// single entry and the next one a hundred thousand.
type Cache[K comparable, V any] struct {
	mu     sync.Mutex
	limit  int
	weight int
	order  list.List // front is the most recently used
	items  map[K]*list.Element
}

type item[K comparable, V any] struct {
	key    K
	value  V
	weight int
}

// New makes a cache that holds values up to a total weight.
func New[K comparable, V any](limit int) *Cache[K, V] {
	return &Cache[K, V]{limit: limit, items: make(map[K]*list.Element)}
}

// Get returns what was put under the key, unless it was dropped since.
func (c *Cache[K, V]) Get(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.items[key]
	if !ok {
		var none V
		return none, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*item[K, V]).value, true
}

// Put stores a value of the given weight, and drops those that were not used
// for the longest time. A value heavier than the whole cache is not kept; one
// whose key is there already is taken for the same.
func (c *Cache[K, V]) Put(key K, value V, weight int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.items[key]; ok || weight > c.limit {
		return
	}
	c.items[key] = c.order.PushFront(&item[K, V]{key: key, value: value, weight: weight})
	c.weight += weight
	for c.weight > c.limit {
		oldest := c.order.Back()
		last := oldest.Value.(*item[K, V])
		c.order.Remove(oldest)
		delete(c.items, last.key)
		c.weight -= last.weight
	}
}
