package placement

import (
	"encoding/json"
	"math"
	"math/big"
	"strconv"

	"github.com/mlops-platform/mooring/schemas"
)

// HoursPerMonth turns an hourly price into a monthly cost.
const HoursPerMonth = 730

const (
	microsPerUnit = 1_000_000
	microsPerCent = 10_000
)

// Cost is an exact amount of money a month. The zero value is zero. It is
// immutable, so it can be shared and copied.
type Cost struct{ micros *big.Rat }

// CostOf is an exact cost from an amount.
func CostOf(m schemas.Money) Cost { return Cost{new(big.Rat).SetInt64(int64(m))} }

func (c Cost) rat() *big.Rat {
	if c.micros == nil {
		return new(big.Rat)
	}
	return c.micros
}

// Add is the sum.
func (c Cost) Add(d Cost) Cost { return Cost{new(big.Rat).Add(c.rat(), d.rat())} }

// Times is the cost n times over.
func (c Cost) Times(n int32) Cost {
	return Cost{new(big.Rat).Mul(c.rat(), new(big.Rat).SetInt64(int64(n)))}
}

// Share is the given share of the cost, exactly.
func (c Cost) Share(p schemas.Percent) Cost {
	const whole = 1_000_000 // 100 % in a Percent's unit
	return Cost{new(big.Rat).Mul(c.rat(), big.NewRat(int64(p), whole))}
}

// Cmp is -1, 0 or 1 as the cost is below, equal to or above d, exactly.
func (c Cost) Cmp(d Cost) int { return c.rat().Cmp(d.rat()) }

// Sign is -1, 0 or 1 as the cost is below, equal to or above zero.
func (c Cost) Sign() int { return c.rat().Sign() }

// Rounded is the cost rounded to cents, halves up. A cost beyond what Money can
// hold (nine trillion) comes back as the largest whole cent.
func (c Cost) Rounded() schemas.Money {
	cents := new(big.Rat).Quo(c.rat(), big.NewRat(microsPerCent, 1))
	cents.Add(cents, big.NewRat(1, 2))
	// Div is the floor here: the divisor is positive.
	whole := new(big.Int).Div(cents.Num(), cents.Denom())
	const most = math.MaxInt64 / microsPerCent
	if !whole.IsInt64() || whole.Int64() > most || whole.Int64() < -most {
		return schemas.Money(int64(c.Sign()) * most * microsPerCent)
	}
	return schemas.Money(whole.Int64() * microsPerCent)
}

// Float is the cost rounded to cents as a number, as JSON shows it.
func (c Cost) Float() float64 { return float64(c.Rounded()) / microsPerUnit }

// String is the cost rounded to cents with two decimals, such as "168.19".
func (c Cost) String() string { return strconv.FormatFloat(c.Float(), 'f', 2, 64) }

// MarshalJSON writes the cost as a number rounded to cents.
func (c Cost) MarshalJSON() ([]byte, error) { return json.Marshal(c.Float()) }
