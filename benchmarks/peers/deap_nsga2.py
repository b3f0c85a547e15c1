"""NSGA-II of DEAP on ZDT1 with the operators and settings of the benchmark; prints seconds and fronts."""
import json
import random
import sys
import time
from math import sqrt

from deap import base, creator, tools

N, POPULATION, GENERATIONS = 30, 100, 249

creator.create("FitnessMin", base.Fitness, weights=(-1.0, -1.0))
creator.create("Individual", list, fitness=creator.FitnessMin)


def zdt1(x):
    g = 1 + 9 * sum(x[1:]) / (len(x) - 1)
    return x[0], g * (1 - sqrt(x[0] / g))


toolbox = base.Toolbox()
toolbox.register("individual", tools.initRepeat, creator.Individual, random.random, N)
toolbox.register("population", tools.initRepeat, list, toolbox.individual)
toolbox.register("evaluate", zdt1)
toolbox.register("mate", tools.cxSimulatedBinaryBounded, low=0.0, up=1.0, eta=15.0)
toolbox.register("mutate", tools.mutPolynomialBounded, low=0.0, up=1.0, eta=20.0, indpb=1.0 / N)
toolbox.register("select", tools.selNSGA2)


def run(seed):
    random.seed(seed)
    population = toolbox.population(n=POPULATION)
    for individual in population:
        individual.fitness.values = toolbox.evaluate(individual)
    population = toolbox.select(population, POPULATION)
    for _ in range(GENERATIONS):
        children = [toolbox.clone(one) for one in tools.selTournamentDCD(population, POPULATION)]
        for a, b in zip(children[::2], children[1::2]):
            if random.random() <= 0.9:
                toolbox.mate(a, b)
            toolbox.mutate(a)
            toolbox.mutate(b)
            del a.fitness.values, b.fitness.values
        for child in children:
            child.fitness.values = toolbox.evaluate(child)
        population = toolbox.select(population + children, POPULATION)
    front = tools.sortNondominated(population, POPULATION, first_front_only=True)[0]
    return [list(one.fitness.values) for one in front]


seconds, fronts = [], []
for seed in range(1, int(sys.argv[1]) + 1):
    begin = time.perf_counter()
    fronts.append(run(seed))
    seconds.append(time.perf_counter() - begin)
print(json.dumps({"seconds": seconds, "fronts": fronts}))
