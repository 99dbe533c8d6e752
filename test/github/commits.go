package githubtest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// gitCommit is one commit, read from Git.
type gitCommit struct {
	sha, tree         string
	parents           []string
	author, committer signature
	message           string
}

const commitFormat = "--format=%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x00%B%x01"

// log lists commits as `git log args…` would.
func (g gitRepo) log(args ...string) ([]gitCommit, error) {
	out, err := g.run(append([]string{"log", commitFormat}, args...)...)
	if err != nil {
		return nil, err
	}
	var list []gitCommit
	for _, record := range strings.Split(out, "\x01") {
		record = strings.TrimPrefix(record, "\n")
		if record == "" {
			continue
		}
		c, err := parseCommit(strings.Split(record, "\x00"))
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

func parseCommit(f []string) (gitCommit, error) {
	if len(f) != 10 {
		return gitCommit{}, fmt.Errorf("git log gave %d fields instead of 10", len(f))
	}
	at, err := strconv.ParseInt(f[5], 10, 64)
	if err != nil {
		return gitCommit{}, fmt.Errorf("author date of %s: %w", f[0], err)
	}
	ct, err := strconv.ParseInt(f[8], 10, 64)
	if err != nil {
		return gitCommit{}, fmt.Errorf("committer date of %s: %w", f[0], err)
	}
	return gitCommit{
		sha: f[0], tree: f[1], parents: strings.Fields(f[2]),
		author:    signature{f[3], f[4], time.Unix(at, 0).UTC()},
		committer: signature{f[6], f[7], time.Unix(ct, 0).UTC()},
		message:   strings.TrimRight(f[9], "\n"),
	}, nil
}

// between lists the commits of head that base has not, oldest first, as a pull request shows them.
func (g gitRepo) between(base, head string) ([]gitCommit, error) {
	return g.log("--reverse", "--topo-order", base+".."+head)
}

// rebase replays the commits of head onto base and gives the new tip. Each step is a three-way merge of
// trees over throw-away commits, so no working tree is needed.
func (g gitRepo) rebase(base, head string, committer signature) (string, error) {
	commits, err := g.between(base, head)
	if err != nil {
		return "", err
	}
	tip := base
	for _, c := range commits {
		if len(c.parents) != 1 {
			continue // a rebase drops merges
		}
		tree, err := g.pick(tip, c)
		if err != nil {
			return "", err
		}
		if tip, err = g.commitTree(tree, c.message, c.author, committer, tip); err != nil {
			return "", err
		}
	}
	return tip, nil
}

// pick gives the tree of commit c applied to tip.
func (g gitRepo) pick(tip string, c gitCommit) (string, error) {
	who := webFlow(c.committer.when)
	root, err := g.commitTree(c.parents[0]+"^{tree}", "base", who, who)
	if err != nil {
		return "", err
	}
	ours, err := g.commitTree(tip+"^{tree}", "ours", who, who, root)
	if err != nil {
		return "", err
	}
	theirs, err := g.commitTree(c.tree, "theirs", who, who, root)
	if err != nil {
		return "", err
	}
	return g.mergeTree(ours, theirs)
}

// fileChange is one entry of a pull request's file list.
type fileChange struct {
	status, path, previous string
	sha                    string
	additions, deletions   int
}

var statusNames = map[byte]string{'A': "added", 'M': "modified", 'D': "removed", 'R': "renamed", 'C': "copied", 'T': "changed"}

// changes lists what differs between two commits, renames found, sorted by path.
func (g gitRepo) changes(from, to string) ([]fileChange, error) {
	raw, err := g.run("diff", "--raw", "--no-abbrev", "-M", "-z", from, to)
	if err != nil {
		return nil, err
	}
	var list []fileChange
	fields := strings.Split(strings.TrimSuffix(raw, "\x00"), "\x00")
	for i := 0; i+1 < len(fields); {
		head := strings.Fields(fields[i])
		if len(head) != 5 {
			return nil, fmt.Errorf("git diff --raw: odd entry %q", fields[i])
		}
		c := fileChange{status: statusNames[head[4][0]], path: fields[i+1], sha: head[3]}
		i += 2
		if c.status == "renamed" || c.status == "copied" {
			if i >= len(fields) {
				return nil, errors.New("git diff --raw: rename without a target")
			}
			c.previous, c.path = c.path, fields[i]
			i++
		}
		if c.status == "removed" {
			c.sha = head[2]
		}
		list = append(list, c)
	}
	return list, g.countLines(from, to, list)
}

// countLines fills in added and deleted lines; binary files keep zero, as on GitHub.
func (g gitRepo) countLines(from, to string, list []fileChange) error {
	out, err := g.run("diff", "--numstat", "-M", "-z", from, to)
	if err != nil {
		return err
	}
	index := make(map[string]int, len(list))
	for i, c := range list {
		index[c.path] = i
	}
	fields := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	for i := 0; i < len(fields); i++ {
		parts := strings.SplitN(fields[i], "\t", 3)
		if len(parts) != 3 {
			continue
		}
		path := parts[2]
		if path == "" && i+2 < len(fields) { // a rename names both paths in fields of their own
			path = fields[i+2]
			i += 2
		}
		at, known := index[path]
		if !known || parts[0] == "-" {
			continue
		}
		if list[at].additions, err = strconv.Atoi(parts[0]); err != nil {
			return fmt.Errorf("git diff --numstat: %w", err)
		}
		if list[at].deletions, err = strconv.Atoi(parts[1]); err != nil {
			return fmt.Errorf("git diff --numstat: %w", err)
		}
	}
	return nil
}
