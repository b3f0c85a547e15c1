"""Optuna's TPE on the problems of bayes-problems.ts. Arguments: problem, trials, first seed, seeds, or 'time' and trials."""
import json, math, sys, time, warnings
import numpy as np, optuna

warnings.simplefilter('ignore')
optuna.logging.set_verbosity(optuna.logging.ERROR)
ALPHA = [1, 1.2, 3, 3.2]
A3 = [[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]]
P3 = [[0.3689, 0.117, 0.2673], [0.4699, 0.4387, 0.747], [0.1091, 0.8732, 0.5547], [0.0381, 0.5743, 0.8828]]
A6 = [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
P6 = [[0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886], [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
      [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.665], [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381]]

def hartmann(x, a, p):
    return -sum(ALPHA[i] * math.exp(-sum(a[i][j] * (x[j] - p[i][j]) ** 2 for j in range(len(x)))) for i in range(4))

def floats(t, n, low, high):
    return [t.suggest_float(f'x{i}', low, high) for i in range(n)]

def branin(t, seed):
    x, y = t.suggest_float('x0', -5, 10), t.suggest_float('x1', 0, 15)
    return (y - 5.1 * x * x / (4 * math.pi ** 2) + 5 * x / math.pi - 6) ** 2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10

def ackley(t, seed):
    x = floats(t, 10, -32.768, 32.768)
    return -20 * math.exp(-0.2 * math.sqrt(sum(v * v for v in x) / 10)) - math.exp(sum(math.cos(2 * math.pi * v) for v in x) / 10) + 20 + math.e

def rosenbrock(t, seed):
    x = floats(t, 10, -2.048, 2.048)
    return sum(100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2 for i in range(9))

def levy(t, seed):
    w = [1 + (v - 1) / 4 for v in floats(t, 6, -10, 10)]
    s = math.sin(math.pi * w[0]) ** 2 + (w[5] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[5]) ** 2)
    return s + sum((w[i] - 1) ** 2 * (1 + 10 * math.sin(math.pi * w[i] + 1) ** 2) for i in range(5))

def mlp(t, seed):
    optimizer = t.suggest_categorical('optimizer', ['sgd', 'adam', 'rmsprop'])
    rate = t.suggest_float('rate', 1e-5, 1, log=True)
    layers = t.suggest_int('layers', 1, 4)
    if optimizer == 'sgd':
        loss = 0.1 * (math.log10(rate) + 1) ** 2 + 0.5 * (t.suggest_float('momentum', 0, 0.99) - 0.9) ** 2 + 0.05
    else:
        loss = 0.1 * (math.log10(rate) + 3) ** 2 + 2 * (t.suggest_float('beta', 0.8, 0.999) - 0.95) ** 2 + (0 if optimizer == 'adam' else 0.03)
    loss += 0.05 * (layers - 2) ** 2
    for l in range(layers):
        loss += 0.03 * (math.log2(t.suggest_int(f'width{l}', 4, 256, log=True)) - 6 + l) ** 2
    return loss + 0.2 * t.suggest_float('dropout', 0, 0.8) ** 2

def backtest(t, seed):
    fast, slow = t.suggest_int('fast', 2, 50), t.suggest_int('slow', 20, 250)
    stop = t.suggest_float('stop', 0.005, 0.2, log=True)
    kind = t.suggest_categorical('kind', ['ema', 'sma', 'wma'])
    s = 1.2 * math.exp(-((fast - 12) / 10) ** 2 - ((slow - 100) / 60) ** 2) + 0.4 * math.exp(-math.log(stop / 0.03) ** 2) + (0.1 if kind == 'ema' else 0)
    t.set_user_attr('clean', -s)
    return -s + float(np.random.default_rng([seed, t.number]).normal(0, 0.3))

PROBLEMS = {'branin': branin, 'hartmann3': lambda t, s: hartmann(floats(t, 3, 0, 1), A3, P3),
            'hartmann6': lambda t, s: hartmann(floats(t, 6, 0, 1), A6, P6), 'ackley10': ackley,
            'rosenbrock10': rosenbrock, 'levy6': levy, 'mlp': mlp, 'backtest': backtest}

def best(study, n):
    trial = min(study.trials[:n], key=lambda t: t.value)
    return trial.user_attrs.get('clean', trial.value)

if sys.argv[1] == 'time':
    n = int(sys.argv[2])
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    begin = time.perf_counter()
    study.optimize(lambda t: PROBLEMS['hartmann6'](t, 0), n_trials=n)
    print(json.dumps({'seconds': time.perf_counter() - begin, 'best': study.best_value}))
else:
    first, count = int(sys.argv[1]), int(sys.argv[2])
    names = sys.argv[3].split(',')
    out = {}
    for name in names:
        out[name] = []
        for seed in range(first, first + count):
            study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
            study.optimize(lambda t: PROBLEMS[name](t, seed), n_trials=200)
            out[name].append([best(study, 100), best(study, 200)])
    print(json.dumps(out))
