% The knapsack of knapsack.lp, by the GLPK that Octave has built in; and a linear system, by LAPACK.
worth = [31 23 17 29 13 41 19 11]';
weight = [14 12 7 11 5 18 9 4];
fuel = [1 0 0 0 0 -1 0 0];
[taken, optimum] = glpk(worth, [weight; fuel], [50; 0], zeros(8, 1), ones(8, 1), "UU", "IIIIIIII", -1);
printf("worth %d weight %d\n", optimum, weight * taken);
x = [2 1; 1 3] \ [3; 5];
printf("x %.1f %.1f\n", x);
