"""The features of market-features with pandas' own rolling and ewm kernels, vectorized, without Python per row.

Arguments: file of float64 columns (time, open, high, low, close, volume, one after the other), bars, rounds, file to write
every 997th row of the result to. Times are CPU seconds of this process, on one thread.
"""
import json
import sys
import time

import numpy as np
import pandas as pd

count, rounds = int(sys.argv[2]), int(sys.argv[3])
data = np.fromfile(sys.argv[1]).reshape(6, count)
frame = pd.DataFrame(
    dict(zip(("open", "high", "low", "close", "volume"), data[1:])),
    index=pd.DatetimeIndex(data[0].astype("int64").astype("datetime64[ms]")),
)
clogc = np.array([c * np.log(c) if c else 0.0 for c in range(59)])


def features(d):
    f = {}
    o, h, l, c, v = d.open, d.high, d.low, d.close, d.volume
    lc, lo, lh, ll = np.log(c), np.log(o), np.log(h), np.log(l)
    lhl, lco = lh - ll, lc - lo
    r = lc.diff()
    f["ret_1"] = r
    for k in (5, 20, 60):
        f[f"ret_{k}"] = lc.diff(k)
    r2 = r * r
    f["vol_20"] = np.sqrt(r2.rolling(20).mean())
    f["vol_60"] = np.sqrt(r2.rolling(60).mean())
    hl2 = lhl * lhl
    f["parkinson_20"] = np.sqrt(hl2.rolling(20).mean() / (4 * np.log(2)))
    f["garmanKlass_20"] = np.sqrt((0.5 * hl2 - (2 * np.log(2) - 1) * lco * lco).rolling(20).mean())
    k = 0.34 / (1.34 + 21 / 19)
    rs = (lh - lc) * (lh - lo) + (ll - lc) * (ll - lo)
    gap = lo - lc.shift()
    f["yangZhang_20"] = np.sqrt(gap.rolling(20).var() + k * lco.rolling(20).var() + (1 - k) * rs.rolling(20).mean())
    sma20 = c.rolling(20).mean()
    for n in (20, 50):
        lsma = np.log(sma20 if n == 20 else c.rolling(n).mean())
        f[f"smaDistance_{n}"] = lc - lsma
        f[f"smaSlope_{n}"] = lsma.diff(5) / 5
    ema = {n: c.ewm(span=n, adjust=False).mean() for n in (12, 26)}
    f["emaDistance_12"] = lc - np.log(ema[12])
    lema = np.log(ema[26])
    f["emaDistance_26"] = lc - lema
    f["emaSlope_26"] = lema.diff()
    delta = c.diff()
    gain, loss = delta.clip(lower=0), -delta.clip(upper=0)
    g, s = gain.ewm(alpha=1 / 14, adjust=False).mean(), loss.ewm(alpha=1 / 14, adjust=False).mean()
    f["rsi_14"] = 100 * g / (g + s)
    macd = ema[12] - ema[26]
    f["macd"] = macd / c
    signal = macd.ewm(span=9, adjust=False).mean()
    f["macdSignal"] = signal / c
    f["macdHistogram"] = (macd - signal) / c
    lowest, highest = l.rolling(14).min(), h.rolling(14).max()
    f["stochK_14"] = 100 * (c - lowest) / (highest - lowest)
    f["stochD_14_3"] = f["stochK_14"].rolling(3).mean()
    before = c.shift()
    tr = np.maximum(h, before) - np.minimum(l, before)
    f["atr_14"] = tr.ewm(alpha=1 / 14, adjust=False).mean() / c
    up, down = h.diff(), -l.diff()
    plus = up.where((up > down) & (up > 0), 0.0).ewm(alpha=1 / 14, adjust=False).mean()
    minus = down.where((down > up) & (down > 0), 0.0).ewm(alpha=1 / 14, adjust=False).mean()
    f["adx_14"] = (100 * (plus - minus).abs() / (plus + minus)).ewm(alpha=1 / 14, adjust=False).mean()
    lowest, highest = l.rolling(20).min(), h.rolling(20).max()
    f["rangePosition_20"] = (c - lowest) / (highest - lowest)
    f["drawdown_250"] = lc - lc.rolling(250).max()
    sigma = c.rolling(20).std(ddof=0)
    f["bollinger_20"] = (c - sma20) / (4 * sigma) + 0.5
    f["bollingerWidth_20"] = 4 * sigma / sma20
    # pandas corrects for bias; undone here, the features are population moments.
    n = 60
    f["skew_60"] = r.rolling(n).skew() * ((n - 2) / np.sqrt(n * (n - 1)))
    f["kurtosis_60"] = (r.rolling(n).kurt() * ((n - 2) * (n - 3) / (n - 1)) - 6) / (n + 1)
    n = 50
    then = r.shift()
    m = r.rolling(n).mean()
    pairs = (r * then).rolling(n - 1).sum() - m * (r.rolling(n - 1).sum() + then.rolling(n - 1).sum())
    f["autocorr_1"] = (pairs + (n - 1) * m * m) / (n * r.rolling(n).var(ddof=0))
    spread = {tau: (lc.diff(tau) ** 2).rolling(128 - tau).mean() for tau in (1, 2, 8, 16)}
    f["hurst_128"] = (
        (0.05 / np.log(2)) * np.log((spread[16] / spread[1]) ** 2 * (spread[8] / spread[2]))
    ).clip(0, 1)
    # The six orders of three closes, counted over 58 patterns.
    a, b, e = c.shift(2).to_numpy(), c.shift().to_numpy(), c.to_numpy()
    ab, be, ae = a <= b, b <= e, a <= e
    code = np.where(ab, np.where(be, 0, np.where(ae, 1, 2)), np.where(ae, 3, np.where(be, 4, 5)))
    total = 0.0
    for p in range(6):
        seen = pd.Series((code == p).astype(float), index=d.index).rolling(58).sum().to_numpy()
        total = total + clogc[np.nan_to_num(seen).astype("int64")]
    f["entropy_60"] = pd.Series((np.log(58) - total / 58) / np.log(6), index=d.index)
    traded = v.rolling(20).sum()
    f["volumeZ_20"] = (v - traded / 20) / v.rolling(20).std(ddof=0)
    f["obvChange_20"] = (np.sign(delta) * v).rolling(20).sum() / traded
    typical = (h + l + c) / 3
    flow = typical * v
    move = typical.diff()
    positive, negative = flow.where(move > 0, 0.0).rolling(14).sum(), flow.where(move < 0, 0.0).rolling(14).sum()
    f["mfi_14"] = 100 * positive / (positive + negative)
    f["vwapDistance_20"] = lc - np.log(flow.rolling(20).sum() / traded)
    stamp = d.index.values
    day = stamp.astype("M8[D]")
    minute = (stamp.astype("M8[m]") - day).astype(float)
    f["hourSin"], f["hourCos"] = np.sin(2 * np.pi * minute / 1440), np.cos(2 * np.pi * minute / 1440)
    weekday = 2 * np.pi * d.index.dayofweek.to_numpy() / 7
    f["weekdaySin"], f["weekdayCos"] = np.sin(weekday), np.cos(weekday)
    month = stamp.astype("M8[M]")
    first = month.astype("M8[D]")
    turn = 2 * np.pi * (day - first).astype(float) / ((month + 1).astype("M8[D]") - first).astype(float)
    f["monthSin"], f["monthCos"] = np.sin(turn), np.cos(turn)
    quarter = month - (month.astype("int64") % 3)
    first = quarter.astype("M8[D]")
    turn = 2 * np.pi * (day - first).astype(float) / ((quarter + 3).astype("M8[D]") - first).astype(float)
    f["quarterSin"], f["quarterCos"] = np.sin(turn), np.cos(turn)
    return pd.DataFrame(f)


times = []
for turn in range(rounds + 1):
    begin = time.process_time()
    out = features(frame)
    if turn:
        times.append(time.process_time() - begin)
out.to_numpy()[1000::997].T.copy().tofile(sys.argv[4])
print(json.dumps({"seconds": min(times), "names": list(out.columns)}))
