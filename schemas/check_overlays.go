package schemas

import (
	"slices"
	"strings"
)

// checkOverlays warns of overlays that no environment names. A folder within
// another overlay is a part of that one.
func (p *Platform) checkOverlays(files []File) (fs Findings) {
	named, all := p.namedOverlays()
	if !all {
		return nil
	}
	var unnamed []string
	for _, f := range files {
		dir, ok := strings.CutSuffix(f.Path, "/"+kustomizationFile)
		if ok && strings.HasPrefix(dir, overlaysFolder) && !slices.ContainsFunc(named, func(n string) bool { return within(dir, n+"/") }) {
			unnamed = append(unnamed, dir)
		}
	}
	for _, dir := range unnamed {
		if slices.ContainsFunc(unnamed, func(other string) bool { return strings.HasPrefix(dir, other+"/") }) {
			continue
		}
		fs = append(fs, Finding{
			Severity: SeverityWarning, File: dir + "/" + kustomizationFile, Code: CodeStray, Message: "no environment names the overlay, so nothing is done with it",
			Remedy: "write spec.overlay in the environment that it is for, or remove it",
		})
	}
	return fs
}

// namedOverlays are the folders that environments name; not all of them where an
// environment is broken, or where there is none.
func (p *Platform) namedOverlays() (dirs []string, all bool) {
	for path := range p.broken {
		if strings.HasPrefix(path, environmentsFolder) {
			return nil, false
		}
	}
	for _, e := range p.Environments {
		if dir := e.Value.Spec.Overlay; dir != "" {
			dirs = append(dirs, dir)
		}
	}
	return dirs, len(p.Environments) > 0
}
