"""Pairs of answers as models write them, and math-verify's verdict on whether they are equal.

    python3 -m venv venv && venv/bin/pip install math-verify==0.9.0 latex2sympy2_extended antlr4-python3-runtime==4.13.2
    venv/bin/python make_math_answers.py > math_answers.jsonl

Each line is [kind, right answer, answer, equal]. Pairs are drawn at random
from kinds that occur in mathematics benchmarks; about half are equal by construction. The answers of
`boxed_texts` are whole replies, of which the peer and BoxedMath find the part that counts.
The kinds after `equations` were added later, under a seed of their own, before the reader was changed for
them; the lines before them stayed as they were.
"""

import json
import math
import random
from fractions import Fraction

from math_verify import parse, verify


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


def huge_powers():
    b, e, c = random.randint(2, 12), random.randint(64, 300), random.randint(1, 9)
    return rf"{b}^{{{e}}}", random.choice([
        rf"{b}^{{{e}}}", rf"{b}^{{{e + 1}}}", rf"{b}^{{{e}}}-{c}", rf"{b}^{{{e - 1}}}\cdot {b}",
        rf"{b}^{{{e - 1}}} \times {b + 1}", rf"\frac{{{b}^{{{e + 2}}}}}{{{b * b}}}", rf"({b}^2)^{{{e // 2}}}"
    ])


def huge_sums():
    b, e, c = random.randint(2, 9), random.randint(64, 200), random.randint(1, 9)
    return rf"{b}^{{{e}}}-{c}", random.choice([
        rf"{b}^{{{e}}}", rf"-{c}+{b}^{{{e}}}", rf"{b}^{{{e}}}-{c + 1}", rf"{b}^{{{e}}}+{c}",
        str(b**(e // 4) - c), rf"{b}\cdot {b}^{{{e - 1}}} - {c}"
    ])


def huge_integers():
    a = random.randint(10**18, 10**random.randint(19, 40))
    other = a + random.choice([0, 0, 1, -1, 10])
    return str(a), random.choice([str(other), f"{other:,}", f"{other:,}".replace(",", r"{,}"), f"-{other}"])


def tiny_fractions():
    b, e = random.randint(2, 9), random.randint(40, 90)
    right = rf"\frac{{1}}{{{b}^{{{e}}}}}"
    return right, random.choice([
        "0", right, rf"\frac{{1}}{{{b}^{{{e + 1}}}}}", rf"{b}^{{-{e}}}", rf"\left(\frac{{1}}{{{b}}}\right)^{{{e}}}",
        rf"1-\frac{{1}}{{{b}^{{{e}}}}}", rf"\frac{{2}}{{{b}^{{{e}}}}}"
    ])


def nearly_one():
    b, e = random.randint(2, 9), random.randint(30, 70)
    right = rf"1-\frac{{1}}{{{b}^{{{e}}}}}"
    return right, random.choice([
        "1", right, rf"\frac{{{b}^{{{e}}}-1}}{{{b}^{{{e}}}}}", rf"1+\frac{{1}}{{{b}^{{{e}}}}}", rf"1-{b}^{{-{e}}}",
        rf"1-\frac{{1}}{{{b}^{{{e + 1}}}}}"
    ])


def by_zero():
    a, b = random.randint(1, 99), random.randint(1, 99)
    return rf"\frac{{{a}}}{{0}}", random.choice(
        [rf"\frac{{{b}}}{{0}}", f"{b}/0", str(b), r"\infty", "0", r"\frac{0}{0}"])


def mixed_numbers():
    w, d = random.randint(1, 30), random.randint(2, 12)
    n = random.randint(1, d - 1)
    macro = random.choice([r"\frac", r"\dfrac", r"\tfrac"])
    part = rf"{macro}{{{n}}}{{{d}}}"
    return rf"\frac{{{w * d + n}}}{{{d}}}", random.choice([
        f"{w} {part}", rf"{w}\ {part}", rf"{w}\,{part}", f"{w} {n}/{d}", f"{w}{part}",
        rf"{w}\frac{n}{d}" if d < 10 else f"{w}{part}", f"{w + 1} {part}", rf"{w}\cdot{part}", f"-{w} {part}",
        rf"{w} + {part}"
    ])


def inequalities():
    a, b, sign = random.randint(1, 30), random.randint(2, 30), random.choice(["<", ">", r"\le", r"\geq"])
    other = random.choice([(a, b), (a, b), (b, a), (a // 10, int(f"{a % 10}{b}"))])
    return rf"x {sign} \frac{{{a}}}{{{b}}}", random.choice([
        rf"x{sign} \frac{{{other[0]}}}{{{other[1]}}}", rf"x {sign} \dfrac{{{other[0]}}}{{{other[1]}}}",
        rf"y {sign} \frac{{{a}}}{{{b}}}", rf"x = \frac{{{a}}}{{{b}}}"
    ])


def chains():
    a, b = random.randint(-20, 9), random.randint(10, 30)
    return rf"{a}<x<{b}", random.choice(
        [rf"{a} < x < {b}", rf"{a}\le x<{b}", rf"{a}<x<{b + 1}", rf"{a}<x", rf"{a} \lt x \lt {b}", f"{a}<y<{b}"])


def spaced_digits():
    digits = str(random.randint(100, 99999))
    cut = lambda: random.randint(1, len(digits) - 1)
    first, second = cut(), cut()
    return f"{digits[:first]} {digits[first:]}", random.choice([f"{digits[:second]} {digits[second:]}", digits])


def logarithms():
    digits = str(random.randint(100, 9999))
    first, second = random.randint(1, len(digits) - 1), random.randint(1, len(digits) - 1)
    return rf"\log_{{{digits[:first]}}}{digits[first:]}", random.choice([
        rf"\log_{{{digits[:second]}}}{digits[second:]}", rf"\log_{{{digits[:first]}}} {digits[first:]}",
        rf"\log_{{{digits[:first]}}}({digits[first:]})", rf"\ln {digits}"
    ])


def matrices():
    a = [random.randint(-9, 19) for _ in range(4)]
    b = a[:]
    if random.random() < 0.5:
        random.shuffle(b)
    write = lambda v, kind, space: (rf"\begin{{{kind}}}{space}" + f"{v[0]} & {v[1]}{space}\\\\{space}{v[2]} & {v[3]}" +
                                    rf"{space}\end{{{kind}}}")
    column = lambda v: r"\begin{pmatrix}" + r" \\ ".join(map(str, v)) + r"\end{pmatrix}"
    row = lambda v: r"\begin{pmatrix}" + " & ".join(map(str, v)) + r"\end{pmatrix}"
    return random.choice([(write(a, "pmatrix", ""), write(b, "pmatrix", random.choice(["", " "]))),
                          (column(a[:2]), column(b[:2])), (column(a[:3]), row(a[:3])),
                          (row([a[0], a[1]]), row([f"{a[0]}{abs(a[1])}"])),
                          (write(a, "pmatrix", ""), write(a, "bmatrix", " "))])


def unions():
    a, b = sorted(random.sample(range(-9, 20), 2))
    left, right = rf"(-\infty,{a})", rf"({b},\infty)"
    return rf"{left}\cup{right}", random.choice([
        rf"{left} \cup {right}", rf"{right}\cup{left}", rf"(-\infty,{a}]\cup{right}",
        rf"{left}\cup({b + 1},\infty)", rf"\left(-\infty, {a}\right) \cup \left({b}, \infty\right)",
        rf"{left}\cap{right}", rf"{left},{right}"
    ])


def named_functions():
    a, b = random.randint(2, 9), random.randint(1, 9)
    name = random.choice(["f(x)=", "f(x) = ", "y=", "y = ", "p(x)=", "g(x)="])
    return f"{a}x+{b}", name + random.choice([f"{a}x+{b}", f"{b}+{a}x", f"{a}x-{b}", f"{b}x+{a}", f"{a}x + {b}"])


def named_numbers():
    a, b = random.randint(1, 60), random.randint(1, 60)
    name = random.choice(
        ["x=", "AB = ", "x_0=", "x_{1} = ", r"\theta=", r"\angle ABC = ", "|AB|=", "S_n = ", "a+b="])
    return str(a + b), name + random.choice([str(a + b), f"{a}+{b}={a + b}", f"{a + b + 1}", f"{a}", rf"{a + b}"])


def degrees():
    a = random.randint(1, 360)
    return random.choice([str(a), rf"{a}^\circ"]), random.choice([
        rf"\theta={a}^\circ", rf"{a}^{{\circ}}", rf"{a} \text{{ degrees}}", f"{a}°", rf"{a}^\circ C",
        rf"{a + 1}^\circ", rf"\angle A = {a}^\circ", rf"x={a + 1}^{{\circ}}"
    ])


def units():
    a, unit = random.randint(1, 99), random.choice(["cm", "square meters", "cm^2", "miles", "km/h", "feet"])
    power = random.choice(["", "^2", "^3"])
    unit_text = unit.replace("^2", "")
    return str(a), random.choice([
        rf"{a} \text{{ {unit_text}}}{power}", rf"{a}\,\text{{{unit_text}}}", rf"{a}\mathrm{{\ {unit_text}}}",
        rf"{a}~\text{{{unit_text}}}", rf"{a + 1} \text{{ {unit_text}}}", rf"\text{{{a}}}"
    ])


def sets_of_tuples():
    pairs = [(integer(-9, 9), integer(-9, 9)) for _ in range(random.randint(2, 3))]
    write = lambda v, space: ("," + space).join(f"({a},{space}{b})" for a, b in v)
    shuffled = pairs[:]
    random.shuffle(shuffled)
    other = random.choice([shuffled, shuffled, pairs[:-1] + [(pairs[-1][1], pairs[-1][0])], pairs[:-1]])
    space = random.choice(["", " "])
    opens, closes = random.choice([(r"\{", r"\}"), ("", ""), (r"\left\{", r"\right\}")])
    return random.choice([write(pairs, ""), r"\{" + write(pairs, "") + r"\}"]), opens + write(other, space) + closes


def several():
    a, b = random.sample(range(-20, 20), 2)
    c = random.choice([b, b, b, b + 1])
    return f"{a},{b}", random.choice([
        rf"x={a} \text{{ or }} x={c}", rf"x={a}, x={c}", rf"{a} \text{{ and }} {c}", rf"{a}\text{{ or }}{c}",
        rf"{c}, {a}", rf"x = {a} \text{{ and }} x = {c}", rf"x \in \{{{a},{c}\}}", rf"x_1={a}, x_2={c}",
        rf"{a} \text{{ or }} x={c}", f"x={a},{c}", rf"x={a}\text{{ , }}x={c}", f"{a} or {c}", f"{a} and {c}",
        str(a)
    ])


def fonts():
    a = integer(1, 300)
    other = random.choice([a, a, a + 1])
    font = random.choice(
        [r"\mathbf", r"\textit", r"\textbf", r"\mathrm", r"\text", r"\boldsymbol", r"\mathit", r"\bf", r"\mathsf"])
    return str(a), rf"{{{font} {other}}}" if font == r"\bf" else rf"{font}{{{other}}}"


def displayed():
    f = fraction()
    other = random.choice([f, f, 1 / f if f else f + 1, f + 1])
    a, b = other.numerator, other.denominator
    sign = "-" if a < 0 else ""
    a = abs(a)
    return latex_fraction(f), random.choice([
        rf"\displaystyle {sign}\frac{{{a}}}{{{b}}}", rf"\displaystyle{sign}\frac{{{a}}}{{{b}}}",
        rf"{sign}\cfrac{{{a}}}{{{b}}}", rf"{{\displaystyle {sign}\frac{{{a}}}{{{b}}}}}",
        rf"\textstyle {sign}\frac{{{a}}}{{{b}}}", rf"{sign}{{{a} \over {b}}}"
    ])


def unicode_signs():
    a, b = random.randint(1, 99), random.randint(1, 99)
    minus, pi, times = "\u2212", "\u03c0", "\u00d7"
    return random.choice([(f"-{a}", random.choice([f"{minus}{a}", f"{minus} {a}", f"\u2013{a}", f"{minus}{b}"])),
                          (rf"{a}\pi", random.choice([f"{a}{pi}", f"{a} {pi}", f"{b}{pi}", rf"{a}*{pi}"])),
                          (str(a * b), random.choice([f"{a}{times}{b}", f"{a} {times} {b + 1}", f"{a}\u00b7{b}"])),
                          (rf"\sqrt{{{a}}}",
                           random.choice([f"\u221a{a}", f"\u221a{{{a}}}", f"\u221a({a})", f"\u221a({b})"])),
                          (r"\infty", random.choice(["\u221e", "-\u221e"])),
                          (f"x-{a}", random.choice([f"x{minus}{a}", f"x {minus} {a}", f"x+{a}"]))])


def stars():
    a, b = random.randint(2, 30), random.randint(2, 9)
    return random.choice([(rf"{a}\pi r", random.choice([f"{a}*pi*r", rf"{a}*\pi*r", f"{b}*pi*r", f"r*{a}*pi"])),
                          (rf"{a}x^{b}", random.choice([f"{a}*x^{b}", f"{a}*x**{b}", f"x**{b}*{a}", f"{a}*x*{b}"])),
                          (str(a**b), random.choice([f"{a}**{b}", f"{a}*{b}", f"{a}^{b}"])),
                          (rf"{a}\pi", random.choice([f"{a}*pi", f"{a} pi", f"{a}pi", f"pi*{a}", f"{a + 1}*pi"]))])


def plain_roots():
    a, b = random.randint(2, 30), random.randint(2, 9)
    return random.choice([
        (rf"\sqrt{{{a}}}", random.choice([f"sqrt({a})", f"sqrt({a + 1})", f"sqrt{{{a}}}", rf"\sqrt({a})"])),
        (r"\sqrt{x}", random.choice(["sqrt(x)", "sqrt(y)", r"\sqrt(x)", "x^(1/2)"])),
        (rf"{b}\sqrt{{{a}}}", random.choice([f"{b}*sqrt({a})", f"{b}sqrt({a})", f"{b} sqrt({a})",
                                             f"{a}*sqrt({b})"])),
        (rf"\sqrt[3]{{{a}}}",
         random.choice([f"{a}^(1/3)", rf"{a}^{{1/3}}", rf"\sqrt[3]{{{a + 1}}}", rf"{a}^{{\frac{{1}}{{3}}}}"])),
        (rf"\frac{{\sqrt{{{a}}}}}{{{b}}}", random.choice([f"sqrt({a})/{b}", rf"\sqrt{{{a}}}/{b}",
                                                          f"sqrt({a}/{b})"]))
    ])


def words():
    pairs = [("Yes", "No"), ("dog", "god"), ("red", "Red"), ("odd", "even"), ("east", "seat"), ("all", "any"),
             ("true", "false"), ("cat", "act"), ("tea", "ate"), ("none", "neon"), ("Ann", "Bob"), ("saw", "was"),
             ("one", "two"), ("left", "felt"), ("A", "B"), ("Monday", "Friday")]
    a, b = random.choice(pairs)
    other = random.choice([a, a, b])
    return rf"\text{{{a}}}", random.choice([
        other, rf"\text{{{other}}}",
        other.lower(), rf"\text{{{other.upper()}}}", rf"\textbf{{{other}}}", rf"\mathrm{{{other}}}", other + ".",
        rf"\text{{ {other} }}"
    ])


def boxed_texts():
    a = integer(1, 500)
    other = random.choice([a, a, a + 1])
    return str(a), random.choice([
        rf"So we get $\boxed{{{other}}}$.", rf"\boxed{{\({other}\)}}", rf"\boxed {{{other}}}", rf"$\boxed {other}$",
        rf"\boxed{{{other}}} and nothing else: \boxed{{}}", rf"\boxed{{7}} is wrong, it is $\boxed{{{other}}}$",
        rf"\[\boxed{{x={other}}}\]", rf"\boxed{{${other}$}}", rf"\boxed{{\text{{{other}}}}}", rf"\fbox{{{other}}}",
        rf"$$\boxed{{\boxed{{{other}}}}}$$", rf"\boxed{{ {other} }}",
        rf"\boxed{{{a + 3}}} \boxed{{{other}}} \boxed{{ }}"
    ])


def polynomial_powers():
    a, n = random.randint(1, 5), random.randint(2, 4)
    return f"(x+{a})^{n}", random.choice([
        f"(x+{a})^{{{n}}}", f"({a}+x)^{n}", f"(x-{a})^{n}", f"(x+{a})^{{{n + 1}}}", f"x^{n}+{a}^{n}",
        f"(x+{a})^{n - 1}(x+{a})"
    ])


def functions():
    a, b = random.randint(1, 12), random.randint(1, 12)
    name = random.choice([r"\sin", r"\cos", r"\tan", r"\ln"])
    return rf"{name}{{{a}x}}", random.choice(
        [rf"{name}({a}x)", rf"{name} {a}x", rf"{name}{{{b}x}}", rf"{name}{{{a}}}x", rf"\sec{{{a}x}}"])


def plus_minus():
    a, b = random.randint(1, 12), random.randint(2, 12)
    return rf"{a}\pm\sqrt{{{b}}}", random.choice([
        rf"{a} \pm \sqrt{{{b}}}", rf"{a}+\sqrt{{{b}}},{a}-\sqrt{{{b}}}", rf"{a}\pm\sqrt{{{b + 1}}}",
        rf"{a}+\sqrt{{{b}}}", rf"{a}\mp\sqrt{{{b}}}"
    ])


def bases():
    a, b = random.randint(10, 999), random.choice([2, 5, 7, 8])
    digits = "".join(str(random.randrange(b)) for _ in range(random.randint(2, 5))).lstrip("0") or "1"
    return rf"{digits}_{b}", random.choice([rf"{digits}_{{{b}}}", digits, rf"{digits}{b}", rf"{digits}_{b + 1}"])


def factorials():
    a, b = random.randint(2, 20), random.randint(1, 6)
    return random.choice([
        (f"{a}!", random.choice([f"{a}!",
                                 str(math.factorial(a)), f"{a + 1}!", f"{a}\\cdot {a - 1}!",
                                 str(a)])),
        (rf"\binom{{{a + b}}}{{{b}}}",
         random.choice([
             rf"\binom{{{a + b}}}{{{b}}}", rf"\dbinom{{{a + b}}}{{{b}}}",
             str(math.comb(a + b, b)), rf"\binom{{{a}}}{{{b}}}"
         ]))
    ])


KINDS = [integers, thousands, fractions, decimals, rounded, percents, scientific, roots, root_fractions,
         pies, powers, polynomials, rational_functions, two_variables, tuples, sets, intervals,
         infinite_intervals, mixed_sizes, arithmetic, equations]
LATER_KINDS = [huge_powers, huge_sums, huge_integers, tiny_fractions, nearly_one, by_zero, mixed_numbers,
               inequalities, chains, spaced_digits, logarithms, matrices, unions, named_functions, named_numbers, degrees, units,
               sets_of_tuples, several, fonts, displayed, unicode_signs, stars, plain_roots, words, boxed_texts,
               polynomial_powers, functions, plus_minus, bases, factorials]


def verdict(kind, right, answer):
    said = answer if kind is boxed_texts else f"${answer}$"
    return bool(verify(parse(f"${right}$"), parse(said)))


def draw(kinds, per_kind):
    seen = set()
    for kind in kinds:
        count = 0
        for _ in range(per_kind * 4):
            right, answer = kind()
            if (right, answer) in seen or count == per_kind:
                continue
            seen.add((right, answer))
            count += 1
            print(json.dumps([kind.__name__, right, answer, verdict(kind, right, answer)]))


def main():
    random.seed(20261123)
    draw(KINDS, 130)
    random.seed(20270417)
    draw(LATER_KINDS, 90)


main()
