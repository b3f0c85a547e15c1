/**
 * Primitive polynomials and initial direction numbers m of dimensions 2 to 128, after Joe & Kuo (new-joe-kuo-6): for each
 * dimension the polynomial, its highest bit the degree, then as many numbers as the degree, all to base 36.
 */
const PACKED = [
  '3 1,7 1 3,b 1 3 1,d 1 1 1,j 1 1 3 3,p 1 3 5 d,11 1 1 5 5 h,15 1 1 5 5 5,1b 1 1 7 b j,1j 1 1 5 1 1,',
  '1n 1 1 1 3 b,1p 1 3 5 5 v,1v 1 3 3 9 7 1d,2j 1 1 1 f l l,2p 1 3 1 d r 1d,2v 1 1 1 f 7 5,31 1 3 1 f d p,',
  '37 1 1 5 5 j 1p,3n 1 3 7 b n f 2v,3t 1 3 7 d d f 1x,3z 1 1 3 d 7 z 1r,41 1 3 5 9 1 p 1h,',
  '4d 1 3 1 d 9 z 2z,4n 1 3 1 5 r 1p v,4r 1 1 5 b j 15 1p,55 1 3 5 3 3 d 1x,5b 1 1 7 d 1 j 1,',
  '5d 1 3 7 5 d j 1n,5n 1 1 3 9 p t 15,5v 1 3 5 d n 1 1j,5x 1 3 7 3 d 1n h,6d 1 3 1 3 5 1h 1x,',
  '6n 1 1 5 5 n x d,6p 1 1 7 7 1 1p 3f,6v 1 1 7 9 d 1p 1d,71 1 3 3 5 3 1j x,7x 1 3 1 f v d 1d 6t,',
  '8b 1 3 5 f v 1n 1r 2p,8d 1 3 1 b b b 25 6x,99 1 3 1 b r 17 1z 9,9r 1 1 7 f l b 29 19,',
  '9v 1 3 7 3 p v 1t 27,9x 1 3 1 1 j b 3 5p,a1 1 1 5 9 j l t 4d,a9 1 3 7 b 1 x 2h 55,av 1 3 3 3 f 9 27 1z,',
  'b1 1 3 7 b f 13 3b r,bt 1 1 3 1 b v 2p 69,cj 1 1 1 3 n 17 1l 4x,cv 1 3 7 7 h h 11 1z,',
  'dj 1 3 1 5 r 1r 3f 5x,dx 1 1 3 5 b 17 1h 3p,ep 1 3 5 5 t h 1b 4t db,ez 1 3 3 b 3 1 31 9 1x,',
  'f5 1 1 1 5 h 13 n 5 9j,fh 1 3 1 5 p f v 2v dv,fn 1 1 1 b b h 1r 2x 53,gp 1 1 5 b 9 t 2p 6f a3,',
  'gv 1 1 5 f j 19 15 7 an,h5 1 3 7 7 v j 2b 3t 65,hb 1 1 1 3 n f 33 67 2b,hj 1 1 5 d v f 1j p 4h,',
  'hp 1 1 3 d p 1b 13 2f 75,hz 1 1 1 b l 1h 3h 6x 85,id 1 1 7 b b 7 1l 27 8z,ir 1 1 5 5 h d 29 3 3n,',
  'it 1 1 7 d n 7 1t 6z d7,j3 1 3 5 1 9 17 3 45 b,jb 1 1 3 d v d d 73 dj,jh 1 3 3 1 5 1r 2h 2j 3j,',
  'jz 1 1 3 3 1 j 3f 3j 6l,k1 1 1 5 7 n v 11 6r 81,kb 1 1 5 b h 1h 39 53 dn,l1 1 1 1 5 1 d d 5t 9l,',
  'l5 1 1 3 f 1 1l 37 7 x,lv 1 3 1 b 7 17 29 5r 4v,lx 1 3 1 1 f r 1r 73 1d,m7 1 3 5 3 r 1p 2x 4r 8h,',
  'mb 1 1 5 3 1 3 1l 6x 45,mp 1 1 3 5 5 1l f d 4f,mz 1 1 1 b 7 b 2x 3x 69,nj 1 3 3 5 r 1n 3d 2t 7j,',
  'nv 1 3 5 9 b 1d 1f 1n 37,o1 1 1 7 1 n 19 3h 1z bn,ob 1 1 3 5 n 5 2x 31 23,od 1 1 7 f 7 b 1v 3d cl,',
  'oj 1 3 7 3 9 d v r ch,ov 1 3 1 f j 13 13 2h f,p1 1 1 1 1 1 x 21 41 aj,pb 1 3 1 f f 17 t d df,',
  'qd 1 1 7 3 j r 2d 3n bz,qh 1 3 3 3 5 z n 5f 9p,qv 1 3 3 7 9 r 13 1n 89,qz 1 1 3 9 b h d 6p 4d,',
  'r1 1 3 7 f p 1l x 59 5x,r9 1 1 7 1 9 1j 21 2b 61,rd 1 3 3 d j r n 35 6x,rn 1 3 5 3 n 17 3 71 db,',
  'rt 1 1 5 5 b 5 19 39 61,sb 1 3 3 7 t 11 x 3f 43,sp 1 3 1 f 5 5 11 6b 67 cr,t7 1 1 7 5 5 13 1r 73 3r dj,',
  'tj 1 3 1 7 9 7 2f 6x 61 gn,tp 1 1 3 d 9 1b 7 69 a3 6v,v9 1 3 7 d j d 9 1v 9 kh,',
  'vj 1 3 5 5 j 1n 7 15 8v it,w1 1 1 5 3 v 1r f 17 5r lx,wb 1 1 7 9 d 13 3 1b dt 4p,',
  'xx 1 3 1 7 l h 2p j bj p5,yf 1 3 7 1 3 v 1z 33 4l 3j,yv 1 1 5 b 1 1p 2b 3b 5n nj,',
  'z7 1 3 3 d 9 1p j 2p 1b z,zj 1 1 7 7 f t 1r 2n bl d1,zx 1 3 1 9 p 9 1z 1l 5x ap,',
  '109 1 3 5 d v 1b 2t 1l 13 9h,10j 1 1 3 3 v 1l 3h 4t a5 fb,10x 1 3 7 1 d 1l 1v 4d cj jn,',
  '119 1 1 1 7 l d 2x 2h bx qt,11f 1 1 5 9 h 1f 19 3b 4d 3x,11z 1 3 7 7 d 19 2j 9 3l kl,',
  '12j 1 3 7 1 n 1l 1v 3x 47 fv,139 1 1 3 b h 1b 2l 2z af 4d,13j 1 3 3 5 b l 17 1f 4p pf,',
  '13r 1 1 5 3 f 1j 2t 1v cn hd,141 1 3 5 9 1 n t 1b 9l gj,153 1 3 7 7 5 1d t 4b 8z gd,',
  '15x 1 3 3 7 5 15 3j 1p 79 jx',
].join('')

/** Polynomial and direction numbers of each dimension from the second on. */
export function joeKuo(): readonly (readonly number[])[] {
  unpacked ??= PACKED.split(',').map((row) => row.split(' ').map((number) => Number.parseInt(number, 36)))
  return unpacked
}
let unpacked: readonly (readonly number[])[] | undefined

/** Dimensions that the table knows, the first included. */
export const JOE_KUO_DIMENSIONS = 128
