package source

import (
	"container/list"
	"sync"
)

// lru is a bounded cache of immutable values, safe for concurrent use. The
// bound is a total weight rather than a count, because one folder may hold a
// single entry and the next one a hundred thousand.
type lru[K comparable, V any] struct {
	mu     sync.Mutex
	limit  int
	weight int
	order  list.List // front is the most recently used
	items  map[K]*list.Element
}

type lruItem[K comparable, V any] struct {
	key    K
	value  V
	weight int
}

func newLRU[K comparable, V any](limit int) *lru[K, V] {
	return &lru[K, V]{limit: limit, items: make(map[K]*list.Element)}
}

func (c *lru[K, V]) get(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.items[key]
	if !ok {
		var none V
		return none, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*lruItem[K, V]).value, true
}

// put stores a value of the given weight. A value heavier than the whole cache
// is not kept.
func (c *lru[K, V]) put(key K, value V, weight int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.items[key]; ok || weight > c.limit {
		return
	}
	c.items[key] = c.order.PushFront(&lruItem[K, V]{key: key, value: value, weight: weight})
	c.weight += weight
	for c.weight > c.limit {
		oldest := c.order.Back()
		item := oldest.Value.(*lruItem[K, V])
		c.order.Remove(oldest)
		delete(c.items, item.key)
		c.weight -= item.weight
	}
}
