// Package desired joins the two pure halves of Mooring: it lets policy choose
// where a model runs and render turn it into objects, and puts the
// environment's overlay over them. The gate, the release engine and the
// command line all get their objects here, so what a pull request shows, what
// is applied and what `mlops render` prints are the same bytes.
//
// It reads nothing itself: files come in as parsed documents and bytes. What
// keeps a model from being rendered comes back as findings with file and line.
package desired
