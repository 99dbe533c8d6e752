package render

import "testing"

func BenchmarkModel(b *testing.B) {
	in := churn()
	b.ReportAllocs()
	for b.Loop() {
		mustModel(b, in)
	}
}

func BenchmarkHash(b *testing.B) {
	objects := mustModel(b, churn())
	b.ReportAllocs()
	for b.Loop() {
		Hash(objects)
	}
}

func BenchmarkOverlay(b *testing.B) {
	objects := mustModel(b, churn())
	files := overlayFiles(platformOverlay)
	compiled, findings := CompileOverlay(overlayDir, files)
	if compiled == nil {
		b.Fatal(findings)
	}
	elsewhere, findings := CompileOverlay(overlayDir, overlayFiles(kustomizationOf(
		"patches:\n- target: {kind: Namespace}\n  patch: '[{op: add, path: /metadata/labels/a, value: b}]'\n")))
	if elsewhere == nil {
		b.Fatal(findings)
	}
	onePatch, findings := CompileOverlay(overlayDir, overlayFiles(kustomizationOf(
		"patches:\n- target: {kind: InferenceService}\n  patch: '[{op: add, path: /spec/predictor/priorityClassName, value: b}]'\n")))
	if onePatch == nil {
		b.Fatal(findings)
	}
	// kustomize reads its schema of Kubernetes once in the life of a process.
	compiled.Apply(objects)
	apply := func(o *CompiledOverlay) func(*testing.B) {
		return func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, f := o.Apply(objects); len(f) > 0 {
					b.Fatal(f)
				}
			}
		}
	}
	b.Run("compile", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			CheckOverlay(overlayDir, files)
		}
	})
	b.Run("apply", apply(compiled))
	b.Run("apply-one-patch", apply(onePatch))
	b.Run("apply-nothing", apply(elsewhere))
}

func BenchmarkObservedModel(b *testing.B) {
	in := observe(churn(), nil)
	b.ReportAllocs()
	for b.Loop() {
		mustModel(b, in)
	}
}
