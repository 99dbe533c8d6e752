package schemas

import (
	"fmt"
	"slices"
	"strings"
)

// File is one file of a tree as the Git source delivers it.
type File struct {
	// Path from the root of the repository, with slashes.
	Path    string
	Content []byte
	// Refused is why the source did not read the entry (a symlink, a submodule,
	// too large); Content is nil then.
	Refused string
}

// Platform is the governing part of a model repository. A file with errors is
// absent from the fields but remembered, so that a reference to it is called
// broken and not unknown.
type Platform struct {
	// Governance is nil if the file is missing or broken.
	Governance *Document[Governance]
	// Environments and Teams are keyed by name.
	Environments map[string]*Document[Environment]
	Teams        map[string]*Document[Team]

	broken map[string]bool // paths of files that exist but have errors
}

// LoadPlatform reads the platform's files out of a tree and checks them against
// each other. Files it does not know are passed over; of models/ it reads
// nothing. The findings are sorted.
func LoadPlatform(files []File) (*Platform, Findings) {
	p := &Platform{
		Environments: map[string]*Document[Environment]{},
		Teams:        map[string]*Document[Team]{},
		broken:       map[string]bool{},
	}
	var findings Findings
	for _, f := range files {
		if IsPlatform(f.Path) || ClassifyPath(f.Path) == PathStray && !strings.HasPrefix(f.Path, modelsFolder) {
			findings = append(findings, p.load(f)...)
		}
	}
	findings = append(findings, p.crossChecks()...)
	findings = append(findings, p.checkOverlays(files)...)
	findings.Sort()
	return p, findings
}

// load reads one file and remembers it, broken or not.
func (p *Platform) load(f File) Findings {
	findings := refusal(f)
	if !findings.Failed() {
		switch ClassifyPath(f.Path) {
		case PathGovernance:
			p.Governance, findings = ParseGovernance(f.Path, f.Content)
		case PathEnvironment:
			findings = keep(f, p.Environments, ParseEnvironment, func(e *Environment) string { return e.Metadata.Name })
		case PathTeam:
			findings = keep(f, p.Teams, ParseTeam, func(t *Team) string { return t.Metadata.Name })
		case PathStray:
			findings = Findings{stray(f.Path)}
		}
	}
	if findings.Failed() {
		p.broken[f.Path] = true
	}
	return findings
}

// keep parses a file named after its object and stores it under that name.
func keep[T any](f File, into map[string]*Document[T], parse func(string, []byte) (*Document[T], Findings), nameOf func(*T) string) Findings {
	doc, findings := parse(f.Path, f.Content)
	if doc == nil {
		return findings
	}
	base := baseName(f.Path)
	if name := nameOf(&doc.Value); name != base {
		return append(findings, doc.Finding("metadata.name", CodePathMismatch,
			fmt.Sprintf("metadata.name is %s, but the file is %s", echo(name), f.Path), "give both the same name"))
	}
	into[base] = doc
	return findings
}

// refusal is the finding about a file that the source refused, or whose path
// alone is too long.
func refusal(f File) Findings {
	one := func(code, message, remedy string) Findings {
		return Findings{{Severity: SeverityError, File: f.Path, Code: code, Message: message, Remedy: remedy}}
	}
	switch {
	case f.Refused != "":
		return one(CodeRefusedFile, "the file is refused: "+f.Refused, "commit a plain file in its place")
	case len(f.Path) > MaxPathBytes:
		return one(CodeTooLarge, fmt.Sprintf("the path has %d bytes, more than the %d allowed", len(f.Path), MaxPathBytes), "shorten it")
	}
	return nil
}

func stray(path string) Finding {
	remedy := "rename it, or move it out of this folder"
	switch {
	case strings.HasPrefix(path, modelsFolder):
		remedy = "a manifest stands at models/TEAM/MODEL/ENVIRONMENT/deployment.yaml"
	case strings.HasPrefix(path, environmentsFolder):
		remedy = "an environment stands at environments/ENVIRONMENT.yaml"
	case strings.HasPrefix(path, teamsFolder):
		remedy = "a team stands at teams/TEAM.yaml"
	case !IsKnown(path):
		remedy = "move it to " + meantPath(path)
	}
	return Finding{
		Severity: SeverityWarning, File: path, Code: CodeStray,
		Message: "the file looks like one that is read, but nothing reads it here", Remedy: remedy,
	}
}

// Broken reports whether the file exists but has errors of its own.
func (p *Platform) Broken(path string) bool { return p.broken[path] }

// RoleTeams lists the GitHub teams that any role names, in lower case.
func (p *Platform) RoleTeams() []string {
	var out []string
	add := func(roles map[string]RoleHolders) {
		for _, holders := range roles {
			for _, team := range holders.AllTeams() {
				out = append(out, strings.ToLower(team))
			}
		}
	}
	if p.Governance != nil {
		add(p.Governance.Value.Spec.Roles)
	}
	for _, t := range p.Teams {
		add(t.Value.Spec.Roles)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
