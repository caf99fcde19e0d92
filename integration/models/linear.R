# The linear system of linear.py, by R's LAPACK module; and a line through R's own data of 1920's cars, which needs
# its packages.
x <- solve(matrix(c(2, 1, 1, 3), 2), c(3, 5))
cat(sprintf("x %.1f %.1f\n", x[1], x[2]))
line <- coef(lm(dist ~ speed, data = cars))
cat(sprintf("line %.3f %.3f\n", line[1], line[2]))
