package controller

import (
	"context"
	"sync"

	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// inbox brings keys from outside into a controller's queue. Adding never
// blocks, however many there are; before the queue is there, keys wait.
type inbox struct {
	mu    sync.Mutex
	queue workqueue.TypedRateLimitingInterface[ctrl.Request]
	early map[ctrl.Request]bool
}

// Start is called by the controller with its queue.
func (i *inbox) Start(_ context.Context, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.queue = queue
	for key := range i.early {
		queue.Add(key)
	}
	i.early = nil
	return nil
}

// Add asks for a look.
func (i *inbox) Add(name client.ObjectKey) {
	key := ctrl.Request{NamespacedName: name}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.queue != nil {
		i.queue.Add(key)
		return
	}
	if i.early == nil {
		i.early = map[ctrl.Request]bool{}
	}
	i.early[key] = true
}
