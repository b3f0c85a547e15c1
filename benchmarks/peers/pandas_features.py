"""The same kinds of features with pandas' own rolling and ewm kernels, vectorized, without Python per row."""
import json
import sys
import time

import numpy as np
import pandas as pd

count, rounds = int(sys.argv[1]), int(sys.argv[2])
rng = np.random.default_rng(7)
close = 100 * np.cumprod(1 + 0.0005 * rng.standard_normal(count))
open_ = np.concatenate([[100.0], close[:-1]])
high = np.maximum(open_, close) * (1 + 0.0002 * rng.random(count))
low = np.minimum(open_, close) * (1 - 0.0002 * rng.random(count))
volume = np.round(1000 * rng.random(count))
index = pd.date_range("2020-01-01", periods=count, freq="min")
frame = pd.DataFrame({"open": open_, "high": high, "low": low, "close": close, "volume": volume}, index=index)


def features(d):
    f = {}
    o, h, l, c, v = d.open, d.high, d.low, d.close, d.volume
    lc, lo = np.log(c), np.log(o)
    lhl = np.log(h / l)
    lco = lc - lo
    r = lc.diff()
    for k in (1, 5, 10, 20, 60):
        f[f"ret_{k}"] = lc.diff(k)
    f["gap"] = lo - lc.shift()
    r2 = r * r
    f["vol_20"] = np.sqrt(r2.rolling(20).mean())
    f["vol_60"] = np.sqrt(r2.rolling(60).mean())
    hl2 = lhl * lhl
    f["parkinson_20"] = np.sqrt(hl2.rolling(20).mean() / (4 * np.log(2)))
    f["garmanKlass_20"] = np.sqrt((0.5 * hl2 - (2 * np.log(2) - 1) * lco * lco).rolling(20).mean())
    k = 0.34 / (1.34 + 21 / 19)
    lh, ll = np.log(h), np.log(l)
    rs = (lh - lc) * (lh - lo) + (ll - lc) * (ll - lo)
    f["yangZhang_20"] = np.sqrt(f["gap"].rolling(20).var() + k * lco.rolling(20).var() + (1 - k) * rs.rolling(20).mean())
    for n in (10, 20, 50, 100):
        sma = c.rolling(n).mean()
        f[f"smaDistance_{n}"] = np.log(c / sma)
        if n in (20, 50):
            f[f"smaSlope_{n}"] = np.log(sma).diff(5) / 5
    for n in (12, 26):
        ema = c.ewm(span=n, adjust=False).mean()
        f[f"emaDistance_{n}"] = np.log(c / ema)
        f[f"emaSlope_{n}"] = np.log(ema).diff()
    delta = c.diff()
    gain, loss = delta.clip(lower=0), -delta.clip(upper=0)
    for n in (7, 14):
        g, s = gain.ewm(alpha=1 / n, adjust=False).mean(), loss.ewm(alpha=1 / n, adjust=False).mean()
        f[f"rsi_{n}"] = 100 * g / (g + s)
    macd = c.ewm(span=12, adjust=False).mean() - c.ewm(span=26, adjust=False).mean()
    f["macd"] = macd / c
    signal = macd.ewm(span=9, adjust=False).mean()
    f["macdSignal"] = signal / c
    f["macdHistogram"] = (macd - signal) / c
    lowest, highest = l.rolling(14).min(), h.rolling(14).max()
    f["stochK_14"] = 100 * (c - lowest) / (highest - lowest)
    f["stochD_14_3"] = f["stochK_14"].rolling(3).mean()
    before = c.shift()
    tr = np.maximum(h, before) - np.minimum(l, before)
    atr = tr.ewm(alpha=1 / 14, adjust=False).mean()
    f["atr_14"] = atr / c
    up, down = h.diff(), -l.diff()
    plus = pd.Series(np.where((up > down) & (up > 0), up, 0.0), index=d.index).ewm(alpha=1 / 14, adjust=False).mean()
    minus = pd.Series(np.where((down > up) & (down > 0), down, 0.0), index=d.index).ewm(alpha=1 / 14, adjust=False).mean()
    f["diSpread_14"] = 100 * (plus - minus) / atr
    f["adx_14"] = (100 * (plus - minus).abs() / (plus + minus)).ewm(alpha=1 / 14, adjust=False).mean()
    for n in (20, 60):
        lowest, highest = l.rolling(n).min(), h.rolling(n).max()
        f[f"rangePosition_{n}"] = (c - lowest) / (highest - lowest)
    for n in (60, 250):
        f[f"drawdown_{n}"] = lc - lc.rolling(n).max()
    mean, sigma = c.rolling(20).mean(), c.rolling(20).std(ddof=0)
    f["bollinger_20"] = (c - mean) / (4 * sigma) + 0.5
    f["bollingerWidth_20"] = 4 * sigma / mean
    f["skew_60"] = r.rolling(60).skew()
    f["kurtosis_60"] = r.rolling(60).kurt()
    f["efficiency_20"] = lc.diff(20).abs() / r.abs().rolling(20).sum()
    for n in (1, 5):
        f[f"autocorr_{n}"] = r.rolling(50).corr(r.shift(n))
    f["obvChange_20"] = (np.sign(delta) * v).rolling(20).sum() / v.rolling(20).sum()
    for n in (20, 60):
        f[f"volumeZ_{n}"] = (v - v.rolling(n).mean()) / v.rolling(n).std(ddof=0)
    return pd.DataFrame(f)


times = []
for turn in range(rounds + 1):
    begin = time.perf_counter()
    out = features(frame)
    if turn:
        times.append(time.perf_counter() - begin)
print(json.dumps({"seconds": float(np.median(times)), "features": int(out.shape[1])}))
