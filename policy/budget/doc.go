// Package budget holds what a team's models cost over all environments against
// the team's monthly budget.
//
// Costs are policy/placement's, at replicas.min: what is paid at least, every
// month. They are summed exactly and rounded to cents once, and the rounded sum
// is what is compared, so that what is shown is what was judged.
package budget
