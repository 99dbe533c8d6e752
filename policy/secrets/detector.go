package secrets

import (
	"context"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/spf13/viper"
	"github.com/zricethezav/gitleaks/v8/config"
	"github.com/zricethezav/gitleaks/v8/detect"
	"github.com/zricethezav/gitleaks/v8/report"
	"github.com/zricethezav/gitleaks/v8/sources"
)

// decodeDepth is how many layers of base64, hex or percent encoding are undone.
const decodeDepth = 2

// detector is made at the first scan and never changes: compiling its patterns
// takes longer than scanning a hundred files. A detector may be used by several
// goroutines at once.
var detector = sync.OnceValues(newDetector)

func newDetector() (*detect.Detector, error) {
	// gitleaks' own constructor reads its configuration through a viper that
	// belongs to the whole process; this one is ours.
	v := viper.New()
	v.SetConfigType("toml")
	if err := v.ReadConfig(strings.NewReader(config.DefaultConfig)); err != nil {
		return nil, fmt.Errorf("read the rules of gitleaks: %w", err)
	}
	var written config.ViperConfig
	if err := v.Unmarshal(&written); err != nil {
		return nil, fmt.Errorf("read the rules of gitleaks: %w", err)
	}
	cfg, err := written.Translate()
	if err != nil {
		return nil, fmt.Errorf("read the rules of gitleaks: %w", err)
	}
	if cfg.Allowlists, err = withoutPaths(cfg.Allowlists); err != nil {
		return nil, fmt.Errorf("read the exceptions of gitleaks: %w", err)
	}
	d := detect.NewDetector(cfg)
	d.MaxDecodeDepth = decodeDepth
	d.IgnoreGitleaksAllow = true
	return d, nil
}

// withoutPaths keeps the exceptions that are about the value and drops those
// for whole files.
func withoutPaths(lists []*config.Allowlist) ([]*config.Allowlist, error) {
	var kept []*config.Allowlist
	for _, l := range lists {
		if len(l.Regexes) == 0 && len(l.StopWords) == 0 {
			continue
		}
		a := &config.Allowlist{
			Description: l.Description, MatchCondition: l.MatchCondition,
			RegexTarget: l.RegexTarget, Regexes: l.Regexes, StopWords: l.StopWords,
		}
		if err := a.Validate(); err != nil {
			return nil, err
		}
		kept = append(kept, a)
	}
	return kept, nil
}

// gitleaks runs gitleaks' rules. Of the path they see only the extension.
func gitleaks(ctx context.Context, file string, l lines) ([]hit, error) {
	d, err := detector()
	if err != nil {
		return nil, err
	}
	//lint:ignore SA1019 DetectContext takes nothing else before gitleaks v9
	found := d.DetectContext(ctx, detect.Fragment(sources.Fragment{
		Raw: l.content, FilePath: "file" + strings.ToLower(path.Ext(file)),
	}))
	hits := make([]hit, 0, len(found))
	for _, f := range found {
		hits = append(hits, locate(l, f))
	}
	return hits, nil
}

// locate finds the value in the content. gitleaks counts lines from 0, columns
// from 1 in the first line and from 2 in the others, and means the whole match
// rather than the value in it.
func locate(l lines, f report.Finding) hit {
	h := hit{rule: f.RuleID, values: []string{f.Secret}, offset: -1}
	if f.Secret == "" {
		return h
	}
	h.offset = l.start(f.StartLine) + f.StartColumn - 1
	if f.StartLine > 0 {
		h.offset--
	}
	h.offset = max(0, min(h.offset, len(l.content)))
	end := max(h.offset, min(l.start(f.EndLine)+f.EndColumn, len(l.content)))
	if i := strings.Index(l.content[h.offset:end], f.Secret); i >= 0 {
		h.offset += i
		return h
	}
	// The value was encoded: hide what stands in the file as well.
	h.values = append(h.values, l.content[h.offset:end])
	return h
}
