package controlplane

import (
	"bytes"
	"fmt"
)

// lastWordsLimit is how much of what the program writes to standard error is kept.
const lastWordsLimit = 32 << 10

// lastWords keeps the end of what a program writes to standard error, to explain its failure. It
// is written by one goroutine and read after that has ended.
type lastWords struct {
	kept bytes.Buffer
}

func (l *lastWords) Write(content []byte) (int, error) {
	l.kept.Write(content)
	if excess := l.kept.Len() - lastWordsLimit; excess > 0 {
		l.kept.Next(excess)
	}
	return len(content), nil
}

// explain adds what the program said to the error it ended with.
func (l *lastWords) explain(err error) error {
	said := bytes.TrimSpace(l.kept.Bytes())
	if err == nil || len(said) == 0 {
		return err
	}
	return fmt.Errorf("%w: %s", err, said)
}
