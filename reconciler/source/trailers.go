package source

import (
	"regexp"
	"strings"
)

var trailerLine = regexp.MustCompile(`^([A-Za-z0-9-]+)[ \t]*:[ \t]*(.*)$`)

// coAuthors returns the people that the Co-authored-by trailers of a message
// name, in order, each once.
//
// Trailers stand in the last paragraph; the first paragraph is the subject and
// holds none, see git-interpret-trailers(1). Where Git asks that a share of the
// lines be trailers, any line counts here: to take too many people for authors
// costs an approval, to take too few lets an author approve.
func coAuthors(message string) []Person {
	var people []Person
	for _, t := range trailers(message) {
		if !strings.EqualFold(t.key, "Co-authored-by") || t.value == "" {
			continue
		}
		if p := parsePerson(t.value); p != (Person{}) {
			people = appendPerson(people, p)
		}
	}
	return people
}

func appendPerson(people []Person, p Person) []Person {
	for _, known := range people {
		if known.Name == p.Name && strings.EqualFold(known.Email, p.Email) {
			return people
		}
	}
	return append(people, p)
}

type trailer struct{ key, value string }

func trailers(message string) []trailer {
	message = strings.ReplaceAll(message, "\r\n", "\n")
	var found []trailer
	for _, line := range lastParagraph(message) {
		if m := trailerLine.FindStringSubmatch(line); m != nil {
			found = append(found, trailer{key: m[1], value: strings.TrimSpace(m[2])})
			continue
		}
		// A line that begins with a blank continues the trailer above it.
		if len(found) > 0 && strings.TrimLeft(line, " \t") != line {
			last := &found[len(found)-1]
			last.value = strings.TrimSpace(last.value + " " + strings.TrimSpace(line))
		}
	}
	return found
}

// lastParagraph returns the lines of a message's last paragraph, none if that
// is the subject.
func lastParagraph(message string) []string {
	lines := strings.Split(strings.TrimSpace(message), "\n")
	for i := len(lines) - 1; i > 0; i-- {
		if strings.TrimSpace(lines[i]) == "" {
			return lines[i+1:]
		}
	}
	return nil
}
