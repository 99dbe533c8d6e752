package review

import (
	"context"
	"fmt"

	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// approvedSide is what stands approved at a path.
type approvedSide struct {
	// differs: the base holds something else.
	differs bool
	// blob is zero where nothing is approved, and doc nil where it cannot be read.
	blob source.ID
	doc  *deployment
}

func (s approvedSide) unreadable() bool { return s.doc == nil && !s.blob.IsZero() }

// approvedAt compares with the base itself: in a merge queue that is not the tip
// of which Standing tells.
func (e *evaluation) approvedAt(ctx context.Context, path string) (approvedSide, error) {
	blob, told := e.Standing[path]
	if !told || blob == e.base.File(path).Blob {
		return approvedSide{}, nil
	}
	if blob.IsZero() {
		return approvedSide{differs: true}, nil
	}
	p, err := e.parse(ctx, source.File{Path: path, Blob: blob})
	if err != nil {
		return approvedSide{}, fmt.Errorf("read what is approved of %s: %w", path, err)
	}
	return approvedSide{true, blob, p.doc}, nil
}

// OnUnapproved reports whether a change builds on content of its file that was
// pushed past the gate. Neither its diff nor its makers tell of that content, so
// whoever wrote it could approve it as part of a harmless edit. To bring back
// exactly what stands approved, or to remove the file, builds on nothing.
func (c *Change) OnUnapproved() bool {
	return c.approved.differs && c.file.After.Exists() && c.file.After.Blob != c.approved.blob
}

func (c *Change) onUnapproved() schemas.Finding {
	back := "remove the file"
	if !c.approved.blob.IsZero() {
		back = "restore what stands approved, of the commit that the ModelRelease names in status.approved,"
	}
	return schemas.Finding{
		Severity: schemas.SeverityError, File: c.Path, Line: 1, Column: 1, Code: schemas.CodeUnapprovedBase,
		Message: "what the base holds of this file is not approved, or not judged yet, and whoever approves this change would approve that unseen",
		Remedy:  "if it was merged just now, wait; else take it back first: " + back + " on the base; then propose the whole change anew",
	}
}
