"""Pairs of answers as models write them, and math-verify's verdict on whether they are equal.

    python3 -m venv venv && venv/bin/pip install math-verify==0.9.0 latex2sympy2_extended antlr4-python3-runtime==4.13.2
    venv/bin/python make_math_answers.py > math_answers.jsonl

Each line is [kind, right answer, answer, equal]. Pairs are drawn at random
from kinds that occur in mathematics benchmarks; about half are equal by construction.
"""

import json
import random
from fractions import Fraction

from math_verify import parse, verify

random.seed(20261123)
PER_KIND = 130


def integer(low=-200, high=2000):
    return random.randint(low, high)


def fraction():
    return Fraction(random.randint(-60, 60), random.randint(2, 40))


def latex_fraction(f, macro=None, scale=1):
    macro = macro or random.choice([r"\frac", r"\dfrac", r"\tfrac"])
    sign = "-" if f < 0 else ""
    return f"{sign}{macro}{{{abs(f.numerator) * scale}}}{{{f.denominator * scale}}}"


def terminating():
    return Fraction(random.randint(-5000, 5000), random.choice([2, 4, 5, 8, 10, 20, 25, 100, 1000]))


def decimal_text(f):
    text = f"{float(f):.6f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def integers():
    a = integer()
    return str(a), random.choice([str(a), f"{a}.0", f"\\text{{{a}}}", f"+{abs(a)}" if a > 0 else str(a),
                                  str(a + random.choice([-1, 1, 10]))])


def thousands():
    a = random.randint(1000, 9_999_999)
    return str(a), random.choice([f"{a:,}", f"{a:,}".replace(",", r"{,}"),
                                  f"{a + 1:,}", f"{a * 10:,}"])


def fractions():
    f = fraction()
    other = random.choice([f, f, f + Fraction(1, f.denominator), -f, 1 / f if f else f])
    return latex_fraction(f), random.choice([latex_fraction(other, scale=random.randint(1, 4)),
                                             f"{other.numerator}/{other.denominator}"])


def decimals():
    f = terminating()
    other = random.choice([f, f, f + Fraction(1, 100), f * 10])
    return decimal_text(f), random.choice([latex_fraction(other), decimal_text(other),
                                           decimal_text(other) + "0" if "." in decimal_text(other)
                                           else decimal_text(other) + ".00"])


def rounded():
    f = fraction()
    digits = random.choice([2, 3, 4, 7, 9])
    return latex_fraction(f), f"{float(f):.{digits}f}"


def percents():
    p = random.randint(1, 150)
    return f"{p}\\%", random.choice([f"{p}\\%", f"{p}%", str(p), decimal_text(Fraction(p, 100)),
                                     f"{p + 1}\\%", latex_fraction(Fraction(p, 100))])


def scientific():
    m, e = random.randint(1, 99), random.randint(-4, 7)
    value = Fraction(m) * Fraction(10) ** e
    plain = decimal_text(value) if e < 0 else str(int(value))
    return f"{m} \\times 10^{{{e}}}", random.choice([plain, f"{m}\\cdot 10^{{{e}}}",
                                                     f"{m} \\times 10^{{{e + 1}}}"])


def roots():
    k, n = random.randint(1, 9), random.choice([2, 3, 5, 6, 7, 10, 11])
    right = rf"{k}\sqrt{{{n}}}" if k > 1 else rf"\sqrt{{{n}}}"
    return right, random.choice([rf"\sqrt{{{k * k * n}}}", rf"{k}*\sqrt{{{n}}}", rf"{k} \sqrt {n}",
                                 rf"{k + 1}\sqrt{{{n}}}", rf"\sqrt{{{k * n}}}",
                                 rf"{k}\cdot {n}^{{1/2}}", rf"\frac{{{k * n}}}{{\sqrt{{{n}}}}}"])


def root_fractions():
    a, b, c = random.randint(1, 9), random.choice([2, 3, 5, 7]), random.randint(2, 9)
    return rf"\frac{{{a}+\sqrt{{{b}}}}}{{{c}}}", random.choice([
        rf"\frac{{\sqrt{{{b}}}+{a}}}{{{c}}}", rf"\frac{{{a}}}{{{c}}}+\frac{{\sqrt{{{b}}}}}{{{c}}}",
        rf"\frac{{{a}-\sqrt{{{b}}}}}{{{c}}}", rf"({a}+\sqrt{{{b}}})/{c}"])


def pies():
    k, d = random.randint(1, 12), random.randint(1, 12)
    right = rf"\frac{{{k}\pi}}{{{d}}}"
    return right, random.choice([rf"\frac{{{k}}}{{{d}}}\pi", rf"{k}\pi/{d}",
                                 rf"\frac{{{2 * k}\pi}}{{{2 * d}}}", rf"\frac{{{k + 1}\pi}}{{{d}}}",
                                 rf"\frac{{{k}}}{{{d}\pi}}", rf"{k} \pi / {d}"])


def powers():
    b, e = random.randint(2, 12), random.randint(2, 7)
    return random.choice([(f"{b}^{e}", str(b**e)), (f"{b}^{{{e}}}", f"{b}^{{{e + 1}}}"),
                          (str(b**e), f"{b}^{{{e}}}"), (f"{b}^{{-{e}}}", rf"\frac{{1}}{{{b**e}}}"),
                          (f"{b}^{{{e}}}", str(b**e + 1))])


def polynomials():
    a, b = random.randint(1, 9), random.randint(1, 9)
    right = f"x^2+{a + b}x+{a * b}"
    return right, random.choice([f"(x+{a})(x+{b})", f"{a * b}+{a + b}x+x^2", f"x^2 + {a + b} x + {a * b}",
                                 f"x^2+{a + b}x+{a * b + 1}", f"(x-{a})(x-{b})", f"x(x+{a + b})+{a * b}"])


def rational_functions():
    a, b = random.randint(1, 9), random.randint(2, 9)
    return rf"\frac{{x+{a}}}{{{b}}}", random.choice([
        rf"\frac{{{a}+x}}{{{b}}}", rf"\frac{{x}}{{{b}}}+\frac{{{a}}}{{{b}}}", rf"\frac{{x-{a}}}{{{b}}}",
        rf"(x+{a})/{b}", rf"\frac{{{2}x+{2 * a}}}{{{2 * b}}}"])


def two_variables():
    a, b = random.randint(2, 9), random.randint(2, 9)
    return f"{a}x+{b}y", random.choice([f"{b}y+{a}x", f"{a}x + {b}y", f"{b}x+{a}y", f"{a}x-{b}y",
                                        f"{a}*x+{b}*y"])


def tuples():
    values = [integer(-20, 20) for _ in range(random.randint(2, 4))]
    shuffled = values[:]
    random.shuffle(shuffled)
    text = lambda v, space: "(" + ("," + space).join(map(str, v)) + ")"
    return text(values, " "), random.choice([text(values, ""), rf"\left({', '.join(map(str, values))}\right)",
                                             text(shuffled, " "), text(values[:-1] + [values[-1] + 1], " ")])


def sets():
    values = random.sample(range(-20, 20), random.randint(2, 4))
    shuffled = values[:]
    random.shuffle(shuffled)
    text = lambda v: r"\{" + ",".join(map(str, v)) + r"\}"
    return text(values), random.choice([text(values), text(shuffled), text(shuffled[:-1]),
                                        text(values[:-1] + [99])])


def intervals():
    a = integer(-20, 20)
    b = a + random.randint(1, 20)
    opens, closes = random.choice("(["), random.choice(")]")
    other = random.choice([(opens, a, b, closes), (opens, a, b, closes), ("[", a, b, closes),
                           (opens, a, b + 1, closes)])
    left = lambda o, x, y, c: f"{o}{x},{y}{c}"
    return left(opens, a, b, closes), random.choice([
        left(*other), rf"\left{other[0]}{other[1]}, {other[2]}\right{other[3]}"])


def infinite_intervals():
    a = integer(-20, 20)
    return rf"(-\infty,{a})", random.choice([rf"(-\infty, {a})", rf"\left(-\infty,{a}\right)",
                                             rf"(-\infty,{a}]", rf"(-\infty,{a + 1})", rf"({a},\infty)"])


def mixed_sizes():
    a = integer(1, 90)
    return str(a), random.choice([f"{a}^\\circ", f"{a}\\text{{ cm}}", f"{a} \\text{{ units}}", f"\\${a}",
                                  f"{a}\\ \\text{{m}}^2", f"{a + 1}^\\circ", f"{a}."])


def arithmetic():
    a, b, c = (random.randint(1, 30) for _ in range(3))
    return str(a + b * c), random.choice([rf"{a}+{b}\times {c}", rf"{a}+{b}\cdot{c}", f"({a}+{b})*{c}",
                                          f"{a}+{b}*{c}", rf"{b}\cdot {c}+{a}"])


def equations():
    a = integer(-30, 30)
    return str(a), random.choice([f"x={a}", f"x = {a}", f"x={a + 1}", f"n={a}"])


KINDS = [integers, thousands, fractions, decimals, rounded, percents, scientific, roots, root_fractions,
         pies, powers, polynomials, rational_functions, two_variables, tuples, sets, intervals,
         infinite_intervals, mixed_sizes, arithmetic, equations]


def main():
    seen = set()
    for kind in KINDS:
        count = 0
        for _ in range(PER_KIND * 4):
            right, answer = kind()
            if (right, answer) in seen or count == PER_KIND:
                continue
            seen.add((right, answer))
            count += 1
            equal = verify(parse(f"${right}$"), parse(f"${answer}$"))
            print(json.dumps([kind.__name__, right, answer, bool(equal)]))


main()
