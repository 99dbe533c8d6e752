package schemas

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Rule is what the `rule` tag of a field says about its value. The tag is a
// list of words:
//
//	optional      the field may be left out (so may one whose json tag has omitempty)
//	min=N, max=N  bounds of a number, or of each number in a list
//	items=N       the least number of entries of a list or mapping
//	length=N      the greatest length of a text, in characters
//	set, fold     no value twice in a list; fold compares without case
//	key=FORMAT    the format of a mapping's keys
//	const=TEXT    the only value
//	memory        a quantity of it, of which some are no amounts that anybody means
//	FORMAT        the format of a text, of each text in a list or mapping
type Rule struct {
	Required  bool
	Min, Max  *float64
	Items     int
	Length    int
	Set, Fold bool
	Key       *Format
	Format    *Format
	Const     string
	Memory    bool
}

// RuleOf reads a field's tags. It panics on a tag it does not know: tags are
// code, and a test reads all of them.
func RuleOf(f reflect.StructField) Rule {
	name := f.Tag.Get("json")
	rule := Rule{Required: !strings.Contains(name, ",omitempty")}
	for word := range strings.SplitSeq(f.Tag.Get("rule"), ",") {
		rule.add(f.Name, word)
	}
	return rule
}

func (r *Rule) add(field, word string) {
	name, value, _ := strings.Cut(word, "=")
	switch name {
	case "":
	case "optional":
		r.Required = false
	case "min":
		r.Min = numberTag(field, value)
	case "max":
		r.Max = numberTag(field, value)
	case "items":
		r.Items = int(*numberTag(field, value))
	case "length":
		r.Length = int(*numberTag(field, value))
	case "set":
		r.Set = true
	case "fold":
		r.Set, r.Fold = true, true
	case "key":
		r.Key = formatTag(field, value)
	case "const":
		r.Const = value
	case "memory":
		r.Memory = true
	default:
		r.Format = formatTag(field, name)
	}
}

func numberTag(field, value string) *float64 {
	n, err := strconv.ParseFloat(value, 64)
	if err != nil {
		panic(fmt.Sprintf("rule of field %s: %q is no number", field, value))
	}
	return &n
}

func formatTag(field, name string) *Format {
	if f := formats[name]; f != nil {
		return f
	}
	panic(fmt.Sprintf("rule of field %s: no format %q", field, name))
}

// Values lists the values of a type that has a fixed set of them, or is nil.
func Values(t reflect.Type) []string { return enums[t] }

var enums = map[reflect.Type][]string{
	reflect.TypeFor[ModelFormat]():       texts(ModelFormats...),
	reflect.TypeFor[Capacity]():          texts(CapacitySpot, CapacityOnDemand),
	reflect.TypeFor[Protocol]():          texts(protocols...),
	reflect.TypeFor[ScaleMetric]():       texts(ScaleCPU, ScaleMemory, ScaleConcurrency, ScaleRPS, ScalePrometheus, ScaleExternal),
	reflect.TypeFor[LoggerMode]():        texts(LogAll, LogRequest, LogResponse),
	reflect.TypeFor[KServeMode]():        texts(ModeStandard, ModeKnative),
	reflect.TypeFor[DriftPolicy]():       texts(DriftHeal, DriftReport, DriftPause),
	reflect.TypeFor[DigestPolicy]():      texts(DigestRequired, DigestOptional),
	reflect.TypeFor[PicklePolicy]():      texts(PickleAllow, PickleRefuse),
	reflect.TypeFor[PodSecurityLevel]():  texts(PodSecurityBaseline, PodSecurityRestricted),
	reflect.TypeFor[NetworkPolicyMode](): texts(NetworkEnforce, NetworkNone),
	reflect.TypeFor[NetworkProtocol]():   texts(ProtocolTCP, ProtocolUDP),
	reflect.TypeFor[Mesh]():              texts(MeshIstio),
	reflect.TypeFor[ClusterAccess]():     texts(AccessViewer, AccessOperator),
	reflect.TypeFor[TaintEffect]():       texts(NoSchedule, PreferNoSchedule, NoExecute),
	reflect.TypeFor[RiskLevel]():         texts(RiskLow, RiskMedium, RiskHigh),
	reflect.TypeFor[ReviewState]():       texts(ReviewApproved, ReviewChangesRequested, ReviewDismissed, ReviewCommented),
	reflect.TypeFor[ExpectedVerdict]():   texts(ExpectPass, ExpectPending, ExpectFail, ExpectError),
	reflect.TypeFor[GraphRouter]():       texts(GraphSequence, GraphEnsemble, GraphSplitter, GraphSwitch),
	reflect.TypeFor[GraphData]():         texts(GraphRequest, GraphResponse),
}

func texts[S ~string](values ...S) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

// fieldInfo is one field of a struct as files spell it.
type fieldInfo struct {
	name  string
	index int
	Rule
}

// structInfo is a struct type as files spell it. Maps of fields are built once
// for each type.
type structInfo struct {
	fields []fieldInfo
	byName map[string]int
}

func (s *structInfo) names() []string { return slices.Collect(maps.Keys(s.byName)) }

// shown lists the fields for a message, in their order, if they are few.
func (s *structInfo) shown() string {
	const few = 8
	var names []string
	for _, f := range s.fields[:min(few, len(s.fields))] {
		names = append(names, f.name)
	}
	if len(s.fields) > few {
		names = append(names, "...")
	}
	return strings.Join(names, ", ")
}

var structs sync.Map // reflect.Type → *structInfo

func infoOf(t reflect.Type) *structInfo {
	if known, ok := structs.Load(t); ok {
		return known.(*structInfo)
	}
	s := &structInfo{byName: map[string]int{}}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		s.byName[name] = len(s.fields)
		s.fields = append(s.fields, fieldInfo{name: name, index: i, Rule: RuleOf(f)})
	}
	known, _ := structs.LoadOrStore(t, s)
	return known.(*structInfo)
}

// knownFieldNames is every name that any file kind has for a field.
var knownFieldNames = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	seen := map[reflect.Type]bool{}
	var visit func(t reflect.Type)
	visit = func(t reflect.Type) {
		switch {
		case t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map:
			visit(t.Elem())
		case t.Kind() == reflect.Struct && !opaque(t) && !seen[t]:
			seen[t] = true
			for i, f := range infoOf(t).fields {
				names[f.name] = true
				visit(t.Field(infoOf(t).fields[i].index).Type)
			}
		}
	}
	for _, t := range []reflect.Type{
		reflect.TypeFor[ModelDeployment](), reflect.TypeFor[Governance](), reflect.TypeFor[Environment](), reflect.TypeFor[Team](),
		reflect.TypeFor[GovernanceTest](),
	} {
		visit(t)
	}
	return names
})
