//go:build !race

package audit

const raceFactor = 1
