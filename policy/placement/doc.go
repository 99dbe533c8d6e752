// Package placement decides on which node pool each part of a model runs and
// what that costs.
//
// Pools, their allocatable sizes and prices come from the environment's file;
// requests from the manifest. A pool that offers what is asked for, may run the
// data, and fits one replica is a candidate; the cheapest candidate wins. Where
// none is left, the refusal carries the numbers of the closest pool. Money is
// exact (rational) until it is shown, and is rounded to cents once, half up,
// after everything was summed.
//
// policy/budget adds up what is computed here; render reads the chosen pool.
package placement
