package schemas

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is written as Go writes durations, with the units h, m and s, and is
// above zero in every file.
type Duration time.Duration

// String writes the duration as users do: 720h, 5m, 1m30s, 0.1s.
func (d Duration) String() string {
	if 0 < d && d < Duration(time.Second) { // Go would write it with a unit that no file may have
		return strconv.FormatFloat(time.Duration(d).Seconds(), 'f', -1, 64) + "s"
	}
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalJSON writes the duration as a string.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	v, err := ParseDuration(s)
	*d = v
	return err
}

// ParseDuration reads a duration with the units h, m and s, above zero.
func ParseDuration(s string) (Duration, error) {
	if strings.Trim(s, "0123456789.hms") != "" || strings.Contains(s, "ms") {
		return 0, errors.New(`a duration is a number with the unit h, m or s, such as "720h" or "5m"`)
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return 0, errors.New(`a duration is a number with the unit h, m or s, such as "720h" or "5m"`)
	}
	if v <= 0 {
		return 0, rangeError("a duration is above zero")
	}
	return Duration(v), nil
}

// Percent is a share in ten-thousandths of one percent: 5% is 50,000. It is
// written "N%", 0–100, with at most four decimals.
type Percent int64

const percentUnit = 10_000

// ParsePercent reads "N%".
func ParsePercent(s string) (Percent, error) {
	bad := errors.New(`a percentage is written "N%" with N from 0 to 100, such as "5%" or "99.5%"`)
	digits, ok := strings.CutSuffix(s, "%")
	if !ok {
		return 0, bad
	}
	v, err := parseDecimal(digits, 4)
	if err != nil || v < 0 || v > 100*percentUnit {
		return 0, bad
	}
	return Percent(v), nil
}

// Fraction is the share as a number from 0 to 1.
func (p Percent) Fraction() float64 { return float64(p) / (100 * percentUnit) }

// String writes the percentage as users do: "99.5%".
func (p Percent) String() string { return formatDecimal(int64(p), 4) + "%" }

// MarshalJSON writes the percentage as a string.
func (p Percent) MarshalJSON() ([]byte, error) { return json.Marshal(p.String()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (p *Percent) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	v, err := ParsePercent(s)
	*p = v
	return err
}

// Money is an amount in micro-units of its currency (one dollar is 1,000,000).
// In files it is a decimal string with at most six decimals.
type Money int64

const moneyDecimals = 6

// ParseMoney reads a decimal amount, such as "0.2304" or "19000".
func ParseMoney(s string) (Money, error) {
	v, err := parseDecimal(s, moneyDecimals)
	if err != nil {
		return 0, fmt.Errorf(`an amount is a decimal number with at most six decimals, such as "0.2304": %w`, err)
	}
	return Money(v), nil
}

// Cents rounds the amount half away from zero to two decimals, as a number.
func (m Money) Cents() float64 {
	const perCent = 10_000
	c := int64(m)
	if c >= 0 {
		c = (c + perCent/2) / perCent
	} else {
		c = -((-c + perCent/2) / perCent)
	}
	return float64(c) / 100
}

// String writes the amount exactly, without trailing zeros.
func (m Money) String() string { return formatDecimal(int64(m), moneyDecimals) }

// MarshalJSON writes the amount as a string.
func (m Money) MarshalJSON() ([]byte, error) { return json.Marshal(m.String()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (m *Money) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	v, err := ParseMoney(s)
	*m = v
	return err
}

// Date is a day, written 2006-01-02.
type Date string

// parseDecimal reads a plain decimal (no sign, no exponent) as an integer
// number of 10^-decimals units.
func parseDecimal(s string, decimals int) (int64, error) {
	whole, frac, dotted := strings.Cut(s, ".")
	if whole == "" || dotted && frac == "" || strings.Trim(whole+frac, "0123456789") != "" {
		return 0, fmt.Errorf("%q is not a plain decimal number", s)
	}
	if len(frac) > decimals {
		return 0, fmt.Errorf("%q has more than %d decimals", s, decimals)
	}
	v, err := strconv.ParseInt(whole+frac+strings.Repeat("0", decimals-len(frac)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is too large", s)
	}
	return v, nil
}

func formatDecimal(v int64, decimals int) string {
	sign := ""
	if v < 0 {
		sign, v = "-", -v
	}
	digits := fmt.Sprintf("%0*d", decimals+1, v)
	whole, frac := digits[:len(digits)-decimals], strings.TrimRight(digits[len(digits)-decimals:], "0")
	if frac == "" {
		return sign + whole
	}
	return sign + whole + "." + frac
}
