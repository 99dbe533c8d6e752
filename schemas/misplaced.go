package schemas

import (
	"bytes"
	"regexp"
	"strings"
)

// misspelt are the folders that are read, by other names that people give them.
var misspelt = map[string]string{
	"model": modelsFolder, "environment": environmentsFolder, "team": teamsFolder, "overlay": overlaysFolder, "policies": policyFolder,
}

// MeantFolder is the known folder that a folder at the root seems to be meant for,
// by its spelling; empty for any other, and for the known ones.
func MeantFolder(name string) string {
	lower := strings.ToLower(name)
	for _, known := range []string{modelsFolder, environmentsFolder, teamsFolder, overlaysFolder, policyFolder} {
		if lower+"/" == known && name != lower {
			return known
		}
	}
	return misspelt[lower]
}

// meantPath is where a file beside the known folders would be read that looks like
// one of theirs; empty for any other. Other repositories have a folder team/ or
// model/ as well, so a file has to look the part, too.
func meantPath(path string) string {
	folder, rest, nested := strings.Cut(path, "/")
	if !nested {
		return meantFile(path)
	}
	known := MeantFolder(folder)
	base := strings.ToLower(path[strings.LastIndexByte(path, '/')+1:])
	fits := false
	switch known {
	case modelsFolder:
		fits = asYAML(base) == manifestFile
	case environmentsFolder, teamsFolder:
		fits = isYAML(rest) && !strings.Contains(rest, "/")
	case overlaysFolder:
		fits = asYAML(base) == kustomizationFile
	case policyFolder:
		fits = strings.HasSuffix(base, ".rego")
	}
	if !fits {
		return ""
	}
	return known + asYAML(rest)
}

var rulesOfOurs = regexp.MustCompile(`(?m)^package mooring\b`)

// LooksOurs reports whether a file beside the known folders is one of Mooring's by
// how it begins. Other tools have Rego and files of YAML in such folders, too.
func LooksOurs(path string, head []byte) bool {
	switch {
	case !strings.Contains(path, "/"), asYAML(strings.ToLower(path[strings.LastIndexByte(path, '/')+1:])) == kustomizationFile:
		return true
	case strings.HasSuffix(path, ".rego"):
		return rulesOfOurs.Match(head)
	}
	return bytes.Contains(head, []byte(Group+"/"))
}

// meantFile is the file at the root that another seems to be meant for.
func meantFile(name string) string {
	meant := ""
	switch asYAML(strings.ReplaceAll(strings.ToLower(name), "-", "_")) {
	case GovernancePath:
		meant = GovernancePath
	case GovernanceTestPath, "governance_tests.yaml", "governancetest.yaml", "governancetests.yaml":
		meant = GovernanceTestPath
	}
	if meant == name {
		return ""
	}
	return meant
}

// asYAML spells the ending of a YAML file as it is read.
func asYAML(path string) string {
	if dot := strings.LastIndexByte(path, '.'); isYAML(path) {
		return path[:dot] + ".yaml"
	}
	return path
}
