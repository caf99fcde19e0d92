$title Which nursery sends how many saplings to which park, at the least cost
$onText
Data of our own. The optimum is 770, and only one plan has it:
  east -> meadow 50 (150), east -> river 40 (200), west -> river 20 (80),
  west -> castle 70 (140), south -> harbour 40 (200).
Proof by the dual: prices meadow 3, river 5, castle 3, harbour 5, and 1 for the west's lack of saplings,
give 3*50 + 5*60 + 3*70 + 5*40 - 1*90 = 770 and exceed no route's cost.
$offText

sets
    i 'nurseries' / east, west, south /
    j 'parks'     / meadow, river, castle, harbour /;

parameters
    grown(i)  'saplings' / east 95, west 90, south 60 /
    wanted(j) 'saplings' / meadow 50, river 60, castle 70, harbour 40 /;

table cost(i,j) 'per sapling'
            meadow  river  castle  harbour
    east         3      5       8        6
    west         6      4       2        9
    south        7      8       5        5;

positive variable sent(i,j);
free variable total;

equations
    bill          'what it all costs'
    supply(i)     'no more than is grown'
    demand(j)     'as much as is wanted';

bill..      total =e= sum((i,j), cost(i,j) * sent(i,j));
supply(i).. sum(j, sent(i,j)) =l= grown(i);
demand(j).. sum(i, sent(i,j)) =g= wanted(j);

model saplings / all /;
solve saplings using lp minimizing total;

abort$(saplings.modelStat <> %modelStat.optimal%) 'no optimum', saplings.modelStat;
display total.l, sent.l;
