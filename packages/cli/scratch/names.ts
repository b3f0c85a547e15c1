import { featureSet } from '@regimen/market'

console.log(featureSet({ timeframes: ['1d'] }).names.join(' '))
