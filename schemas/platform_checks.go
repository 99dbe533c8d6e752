package schemas

import (
	"fmt"
	"maps"
	"slices"
)

// crossChecks holds the platform's files against each other. What refers to a
// broken file is judged as far as that goes: the broken file has its own findings.
func (p *Platform) crossChecks() Findings {
	var fs Findings
	if p.Governance == nil && !p.broken[GovernancePath] {
		fs = append(fs, Finding{
			Severity: SeverityError, File: GovernancePath, Code: CodeMissingGovernance,
			Message: "the repository has no governance.yaml", Remedy: "add it: nothing can be judged without",
		})
	}
	fs = append(fs, p.checkTimes()...)
	for _, name := range sortedKeys(p.Environments) {
		fs = append(fs, p.checkPromotion(p.Environments[name])...)
		fs = append(fs, p.checkOnlyFor(p.Environments[name])...)
		fs = append(fs, p.checkIsolationTeams(p.Environments[name])...)
	}
	for _, name := range sortedKeys(p.Teams) {
		fs = append(fs, p.checkTeam(p.Teams[name])...)
	}
	fs = append(fs, p.checkCurrencies()...)
	return append(fs, CheckNamespaces(p)...)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// environmentFault says why a name refers to no usable environment, or "".
func (p *Platform) environmentFault(name string) (code, message, remedy string) {
	if p.Environments[name] != nil {
		return "", "", ""
	}
	if p.broken[EnvironmentPath(name)] {
		return CodeBrokenReference, "the environment " + echo(name) + " has errors of its own", "mend " + EnvironmentPath(name) + " first"
	}
	return CodeUnknownEnvironment, "there is no environment " + echo(name), addOr("environments/", name, sortedKeys(p.Environments))
}

// addOr is the remedy for a reference to nothing.
func addOr(folder, name string, known []string) string {
	if len(known) == 0 {
		return "add it to " + folder + " first"
	}
	return orElse(suggest(name, known), "a new one is added to "+folder+" first, in a change of its own")
}

// checkTimes: freezes and windows are of environments that exist.
func (p *Platform) checkTimes() (fs Findings) {
	if p.Governance == nil {
		return nil
	}
	known := func(field string, environments []string) {
		for j, name := range environments {
			if code, message, remedy := p.environmentFault(name); code == CodeUnknownEnvironment {
				fs = append(fs, p.Governance.Finding(fmt.Sprintf("%s.environments[%d]", field, j), code, message, remedy))
			}
		}
	}
	for i, freeze := range p.Governance.Value.Spec.Freezes {
		known(fmt.Sprintf("spec.freezes[%d]", i), freeze.Environments)
	}
	for i, window := range p.Governance.Value.Spec.Windows {
		known(fmt.Sprintf("spec.windows[%d]", i), window.Environments)
	}
	return fs
}

// checkPromotion follows the chain of environments that wait for each other.
// The one in which a cycle is noticed first by name reports it, like each other
// member: the file to mend may be any of them.
func (p *Platform) checkPromotion(d *Document[Environment]) Findings {
	const field = "spec.promotion.after"
	if d.Value.Spec.Promotion == nil {
		return nil
	}
	if code, message, remedy := p.environmentFault(d.Value.Spec.Promotion.After); code == CodeUnknownEnvironment {
		return Findings{d.Finding(field, code, message, remedy)}
	}
	start := d.Value.Metadata.Name
	at := d
	for range len(p.Environments) {
		if at == nil || at.Value.Spec.Promotion == nil {
			return nil
		}
		next := at.Value.Spec.Promotion.After
		if next == start {
			return Findings{d.Finding(field, CodePromotionCycle, "the environment waits, in the end, for itself", "break the circle of promotion.after")}
		}
		at = p.Environments[next]
	}
	return nil
}

// checkOnlyFor: a dedicated pool names sensitivities of the risk table.
func (p *Platform) checkOnlyFor(d *Document[Environment]) (fs Findings) {
	if p.Governance == nil {
		return nil
	}
	table := p.Governance.Value.Spec.Risk.DataSensitivity
	for i, pool := range d.Value.Spec.Pools {
		if pool.OnlyFor == nil {
			continue
		}
		for j, value := range pool.OnlyFor.DataSensitivity {
			if _, ok := table[value]; !ok {
				fs = append(fs, d.Finding(fmt.Sprintf("spec.pools[%d].onlyFor.dataSensitivity[%d]", i, j), CodeUnknownValue,
					"the governance knows no data sensitivity "+echo(value), suggest(value, sortedKeys(table))))
			}
		}
	}
	return fs
}

// checkTeam: the environments of its quotas exist; the roles it replaces exist
// and have no board's seat, so no team names its own judges at high risk.
func (p *Platform) checkTeam(d *Document[Team]) (fs Findings) {
	for _, name := range sortedKeys(d.Value.Spec.Quotas) {
		if code, message, remedy := p.environmentFault(name); code == CodeUnknownEnvironment {
			fs = append(fs, d.Finding("spec.quotas."+name, code, message, remedy))
		}
	}
	if p.Governance == nil {
		return fs
	}
	governance := p.Governance.Value.Spec
	for _, role := range sortedKeys(d.Value.Spec.Roles) {
		field := "spec.roles." + role
		if _, ok := governance.Roles[role]; !ok {
			fs = append(fs, d.Finding(field, CodeUnknownRole, "the governance knows no role "+echo(role), suggest(role, sortedKeys(governance.Roles))))
			continue
		}
		for _, name := range sortedKeys(governance.Boards) {
			if b := governance.Boards[name]; b.Chair == role || slices.Contains(b.Members, role) {
				fs = append(fs, d.Finding(field, CodeBoardSeat,
					"the role "+echo(role)+" has a seat on the board "+echo(name)+", so a team may not replace it", "remove it here"))
				break
			}
		}
	}
	return fs
}

// checkCurrencies: a team's cost is summed over all environments and held
// against its budget, and there is no rate of exchange. The currency that most
// files use is taken for the right one.
func (p *Platform) checkCurrencies() (fs Findings) {
	uses := map[string]int{}
	p.eachCurrency(func(currency string, _ func() Finding) { uses[currency]++ })
	if len(uses) < 2 {
		return nil
	}
	most := slices.MaxFunc(sortedKeys(uses), func(a, b string) int { return uses[a] - uses[b] })
	p.eachCurrency(func(currency string, finding func() Finding) {
		if currency != most {
			f := finding()
			f.Message, f.Remedy = "the amount is in "+currency+", others are in "+most, "write all prices and budgets in one currency"
			fs = append(fs, f)
		}
	})
	return fs
}

func (p *Platform) eachCurrency(visit func(currency string, finding func() Finding)) {
	for _, name := range sortedKeys(p.Environments) {
		d := p.Environments[name]
		for i, pool := range d.Value.Spec.Pools {
			visit(pool.Price.Currency, func() Finding {
				return d.Finding(fmt.Sprintf("spec.pools[%d].price.currency", i), CodeMixedCurrencies, "", "")
			})
		}
	}
	for _, name := range sortedKeys(p.Teams) {
		d := p.Teams[name]
		visit(d.Value.Spec.Budget.Currency, func() Finding { return d.Finding("spec.budget.currency", CodeMixedCurrencies, "", "") })
	}
}
