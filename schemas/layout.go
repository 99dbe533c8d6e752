package schemas

import (
	"regexp"
	"strings"
)

// PathKind is what a path of a model repository holds. This file is the one
// place that knows the layout.
type PathKind int

// The kinds of paths.
const (
	// PathOther is read by nobody.
	PathOther PathKind = iota
	// PathManifest is models/TEAM/MODEL/ENVIRONMENT/deployment.yaml.
	PathManifest
	// PathGovernance is governance.yaml.
	PathGovernance
	// PathEnvironment is environments/ENVIRONMENT.yaml.
	PathEnvironment
	// PathTeam is teams/TEAM.yaml.
	PathTeam
	// PathOverlay is any file under overlays/.
	PathOverlay
	// PathPolicy is a .rego file under policy/.
	PathPolicy
	// PathStray looks like a file that is read but is not: deployment.yml,
	// Deployment.yaml, environments/staging.yml, policies/x.rego. A manifest at
	// another depth is a stray too, which only its content shows.
	PathStray
)

const (
	modelsFolder       = "models/"
	environmentsFolder = "environments/"
	teamsFolder        = "teams/"
	overlaysFolder     = "overlays/"
	policyFolder       = "policy/"
	manifestFile       = "deployment.yaml"
	kustomizationFile  = "kustomization.yaml"
)

// ClassifyPath says what a path holds, by its name alone.
func ClassifyPath(path string) PathKind {
	switch {
	case path == GovernancePath:
		return PathGovernance
	case strings.HasPrefix(path, modelsFolder):
		return classifyModel(path)
	case strings.HasPrefix(path, environmentsFolder):
		return classifyNamed(strings.TrimPrefix(path, environmentsFolder), PathEnvironment)
	case strings.HasPrefix(path, teamsFolder):
		return classifyNamed(strings.TrimPrefix(path, teamsFolder), PathTeam)
	case strings.HasPrefix(path, overlaysFolder):
		return PathOverlay
	case strings.HasPrefix(path, policyFolder) && strings.HasSuffix(path, ".rego"):
		return PathPolicy
	case meantPath(path) != "":
		return PathStray
	}
	return PathOther
}

func classifyModel(path string) PathKind {
	if _, ok := ManifestUnit(path); ok {
		return PathManifest
	}
	base := path[strings.LastIndexByte(path, '/')+1:]
	if base != manifestFile && (strings.EqualFold(base, manifestFile) || strings.EqualFold(base, "deployment.yml")) {
		return PathStray
	}
	return PathOther
}

// classifyNamed takes NAME.yaml directly in its folder; YAML of another
// spelling or depth is a stray.
func classifyNamed(rest string, kind PathKind) PathKind {
	switch name, ok := strings.CutSuffix(rest, ".yaml"); {
	case ok && name != "" && !strings.Contains(name, "/"):
		return kind
	case isYAML(rest):
		return PathStray
	}
	return PathOther
}

func isYAML(path string) bool {
	lower := strings.ToLower(path)
	return strings.HasSuffix(lower, ".yaml") || strings.HasSuffix(lower, ".yml")
}

// ManifestUnit is the team, model and environment that a manifest's path names;
// false if the path is no manifest's.
func ManifestUnit(path string) (Unit, bool) {
	parts := strings.Split(path, "/")
	if len(parts) != 5 || parts[0]+"/" != modelsFolder || parts[4] != manifestFile ||
		parts[1] == "" || parts[2] == "" || parts[3] == "" {
		return Unit{}, false
	}
	return Unit{Team: parts[1], Model: parts[2], Environment: parts[3]}, true
}

// Path is where the unit's manifest stands; empty for a team's tenancy.
func (u Unit) Path() string {
	if u.Model == "" {
		return ""
	}
	return modelsFolder + u.Team + "/" + u.Model + "/" + u.Environment + "/" + manifestFile
}

// EnvironmentPath is where an environment's file stands.
func EnvironmentPath(name string) string { return environmentsFolder + name + ".yaml" }

// TeamPath is where a team's file stands.
func TeamPath(name string) string { return teamsFolder + name + ".yaml" }

// IsPlatform reports whether a change to the path is a platform change: to
// governance.yaml or anything under environments/, teams/, overlays/ or policy/.
func IsPlatform(path string) bool {
	if path == GovernancePath {
		return true
	}
	for _, folder := range []string{environmentsFolder, teamsFolder, overlaysFolder, policyFolder} {
		if within(path, folder) {
			return true
		}
	}
	return false
}

// within reports whether a path lies in a folder, or is an entry in the
// folder's own place, such as a symlink.
func within(path, folder string) bool {
	return strings.HasPrefix(path, folder) || path == strings.TrimSuffix(folder, "/")
}

// IsKnown reports whether the path lies in a folder that is read. Outside of
// them nothing is ever read, and nothing refused.
func IsKnown(path string) bool { return IsPlatform(path) || within(path, modelsFolder) }

// baseName is NAME of FOLDER/NAME.yaml.
func baseName(path string) string {
	return strings.TrimSuffix(path[strings.LastIndexByte(path, '/')+1:], ".yaml")
}

// manifestKind finds a manifest's kind line without parsing the file: strays
// deserve a warning, not the cost of a parse.
var manifestKind = regexp.MustCompile(`(?m)^[\s{]*["']?kind["']?\s*:\s*["']?` + string(KindModelDeployment) + `\b`)

// strayManifest reports whether a file that is read by nobody calls itself a manifest.
func strayManifest(f File) bool {
	return strings.HasPrefix(f.Path, modelsFolder) && isYAML(f.Path) && len(f.Content) <= MaxFileBytes && manifestKind.Match(f.Content)
}
