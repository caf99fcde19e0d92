/* Which bakery sends how many crates of bread to which cafe, at the least cost.
   Data of our own. The optimum is 520, and only one plan has it:
     harbour -> park 40 (160), harbour -> library 20 (60), hill -> station 35 (70),
     mill -> library 35 (140), mill -> market 30 (90).
   Proof by the dual: prices park 5, station 2, library 4, market 3, and 1 for the harbour's lack of
   bread, give 5*40 + 2*35 + 4*55 + 3*30 - 1*60 = 520 and exceed no route's cost. */

set BAKERIES;
set CAFES;

param baked {BAKERIES} >= 0;             # crates a day
param wanted {CAFES} >= 0;               # crates a day
param cost {BAKERIES, CAFES} >= 0;       # per crate

var sent {BAKERIES, CAFES} >= 0;

minimize total: sum {b in BAKERIES, c in CAFES} cost[b,c] * sent[b,c];

s.t. no_more_than_baked {b in BAKERIES}: sum {c in CAFES} sent[b,c] <= baked[b];
s.t. as_much_as_wanted {c in CAFES}: sum {b in BAKERIES} sent[b,c] >= wanted[c];

solve;

printf "total cost %g\n", total;
for {b in BAKERIES, c in CAFES: sent[b,c] > 0}
    printf "%s -> %s: %g\n", b, c, sent[b,c];

data;

set BAKERIES := harbour hill mill;
set CAFES := park station library market;

param baked := harbour 60  hill 45  mill 70;
param wanted := park 40  station 35  library 55  market 30;

param cost:   park  station  library  market :=
    harbour     4      7        3        9
    hill        6      2        8        5
    mill        6      6        4        3 ;

end;
