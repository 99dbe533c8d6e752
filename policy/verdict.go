package policy

// Verdict is what a stage, or the whole pipeline, says about a change.
type Verdict string

// The verdicts, best first. Anything else counts as Error.
const (
	// Pass: nothing stands in the way.
	Pass Verdict = "pass"
	// Pending: something is awaited, such as an approval.
	Pending Verdict = "pending"
	// Fail: the change is wrong or refused; a person must do something.
	Fail Verdict = "fail"
	// Error: it could not be judged. Never a pass.
	Error Verdict = "error"
)

// rank orders verdicts; an unknown one is the worst, so that a value that was
// never set cannot pass.
func (v Verdict) rank() int {
	switch v {
	case Pass:
		return 0
	case Pending:
		return 1
	case Fail:
		return 2
	default:
		return 3
	}
}

// Worst is the verdict of several together: error, else fail, else pending,
// else pass. Of none it is Pass; a verdict that is none of the four is Error.
func Worst(vs ...Verdict) Verdict {
	worst := Pass
	for _, v := range vs {
		if v.rank() > worst.rank() {
			worst = v
		}
	}
	if worst.rank() == Error.rank() {
		return Error
	}
	return worst
}
