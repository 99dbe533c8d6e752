package schemas

import (
	"maps"
	"path"
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
	unnamed := map[string]bool{}
	for _, f := range files {
		dir, ok := strings.CutSuffix(f.Path, "/"+kustomizationFile)
		if ok && strings.HasPrefix(dir, overlaysFolder) && !lies(dir, named) {
			unnamed[dir] = true
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(unnamed)) {
		if lies(path.Dir(dir), unnamed) {
			continue
		}
		fs = append(fs, Finding{
			Severity: SeverityWarning, File: dir + "/" + kustomizationFile, Code: CodeStray, Message: "no environment names the overlay, so nothing is done with it",
			Remedy: "write spec.overlay in the environment that it is for, or remove it",
		})
	}
	return fs
}

// lies reports whether a folder is one of some folders, or within one.
func lies(dir string, folders map[string]bool) bool {
	for ; dir != "." && dir != "/"; dir = path.Dir(dir) {
		if folders[dir] {
			return true
		}
	}
	return false
}

// namedOverlays are the folders that environments name; not all of them where an
// environment is broken, or where there is none.
func (p *Platform) namedOverlays() (dirs map[string]bool, all bool) {
	for file := range p.broken {
		if strings.HasPrefix(file, environmentsFolder) {
			return nil, false
		}
	}
	dirs = map[string]bool{}
	for _, e := range p.Environments {
		if dir := e.Value.Spec.Overlay; dir != "" {
			dirs[path.Clean(dir)] = true
		}
	}
	return dirs, len(p.Environments) > 0
}
