// Package fields reads field ownership: which paths of a live object a field
// manager owns, a hash of their values, and the differences of two objects
// along those paths.
//
// It is pure. Its input is metadata.managedFields, which the API server
// maintains: when another manager changes or removes a path that we own, the
// path leaves our set, so a hash over set and values is enough to notice every
// foreign edit of an owned field, without any request and without the text in
// Git. Values are compared by meaning (1000m is 1, 1.0 is 1), never by bytes.
package fields
